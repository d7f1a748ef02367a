/** Where finished files are served as plain static files. Part of the API. */
export const OUTPUT_ROUTE = '/output_images';

/** Where links of ours lead: `/files/<key>?e=…&k=…&s=…`. Part of the API. */
export const FILES_ROUTE = '/files';
