/** An answer of OSS that is not a success. */
export class OssFault extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** Number of Aliyun's error catalogue, e.g. `0002-00000069`. */
    readonly ec?: string,
    /** More elements for the body, e.g. `StringToSign`. */
    readonly details: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }

  toXml(requestId: string, host: string): string {
    const elements = {
      Code: this.code,
      Message: this.message,
      RequestId: requestId,
      HostId: host,
      ...this.details,
      ...(this.ec === undefined ? {} : { EC: this.ec }),
    };
    const body = Object.entries(elements).map(([name, text]) => `  <${name}>${escapeXml(text)}</${name}>\n`);
    return `<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n${body.join('')}</Error>\n`;
  }
}

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
