/**
 * The arrows of the house: a room may import only from the rooms below it, and only through their `index.ts`.
 * Top to bottom: main → app → faces → comfy → assets → storage, state, outbound, images → config. Inside comfy: jobs → inputs → backends → client →
 * workflow.
 */
const faces =
  'generate|api-v2|progress|backends|files|health|openapi|problem|request|feed|idempotency|delivery|upload|admin|webhooks|job-view';

const shared = 'problem|request|feed|idempotency|delivery|upload|admin|webhooks|job-view';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-orphan-import', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'rooms-through-their-door',
      comment: 'Another room is entered through its index.ts only.',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: { path: '^src/[^/]+/', pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$'] },
    },
    {
      name: 'config-is-a-leaf',
      severity: 'error',
      from: { path: '^src/config/' },
      to: { path: '^src/(?!config/)' },
    },
    {
      name: 'state-is-a-leaf',
      severity: 'error',
      from: { path: '^src/state/' },
      to: { path: '^src/(?!state/|config/)' },
    },
    {
      name: 'outbound-is-a-leaf',
      severity: 'error',
      from: { path: '^src/outbound/' },
      to: { path: '^src/(?!outbound/)' },
    },
    {
      name: 'connection-and-shares-are-leaves',
      severity: 'error',
      from: { path: '^src/(connection|shares)/' },
      to: { path: '^src/(?!connection/|shares/|config/)' },
    },
    {
      name: 'printable-and-logging-are-leaves',
      severity: 'error',
      from: { path: '^src/(printable|logging)/' },
      to: { path: '^src/(?!logging/|printable/)' },
    },
    {
      name: 'images-are-a-leaf',
      severity: 'error',
      from: { path: '^src/images/' },
      to: { path: '^src/(?!images/|shares/|config/)' },
    },
    {
      name: 'assets-know-nothing-of-jobs',
      severity: 'error',
      from: { path: '^src/assets/' },
      to: { path: '^src/(?!assets/|storage/|state/|config/)' },
    },
    {
      name: 'storage-knows-nothing-of-comfyui',
      severity: 'error',
      from: { path: '^src/storage/' },
      to: { path: '^src/(?!storage/|config/)' },
    },
    {
      name: 'engine-imports-nothing-from-the-faces',
      severity: 'error',
      from: { path: '^src/comfy/' },
      to: { path: '^src/(?!comfy/|assets/|storage/|state/|outbound/|images/|shares/|config/)' },
    },
    {
      name: 'the-terminal-client-stands-alone',
      comment:
        'It knows the server by HTTP only, and starts without Nest. What is printable is the same question for both.',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: '^src/(?!cli/|printable/)|@nestjs' },
    },
    {
      name: 'nobody-needs-the-terminal-client',
      severity: 'error',
      from: { path: '^src/(?!cli/)' },
      to: { path: '^src/cli/' },
    },
    {
      name: 'a-face-talks-to-comfy-service-only',
      comment: 'Faces have some rooms in common; they share nothing else.',
      severity: 'error',
      from: { path: `^src/(${faces})/` },
      to: { path: `^src/(${faces})/`, pathNot: ['^src/$1/', `^src/(${shared})/`] },
    },
    {
      name: 'client-is-the-ground-floor',
      severity: 'error',
      from: { path: '^src/comfy/client/' },
      to: { path: '^src/comfy/(?!client/|workflow/|comfy\\.error\\.ts)' },
    },
    {
      name: 'backends-do-not-know-jobs',
      severity: 'error',
      from: { path: '^src/comfy/backends/' },
      to: { path: '^src/comfy/(?!backends/|client/|workflow/|comfy\\.error\\.ts)' },
    },
    {
      name: 'inputs-do-not-know-jobs',
      severity: 'error',
      from: { path: '^src/comfy/inputs/' },
      to: { path: '^src/comfy/(jobs/|comfy\\.(service|module))' },
    },
    {
      name: 'jobs-do-not-know-the-service',
      severity: 'error',
      from: { path: '^src/comfy/jobs/' },
      to: { path: '^src/comfy/(comfy\\.(service|module))' },
    },
    {
      name: 'workflow-is-pure',
      severity: 'error',
      from: { path: '^src/comfy/workflow/' },
      to: { path: '^src/', pathNot: ['^src/comfy/workflow/', '^src/comfy/comfy\\.error\\.ts$'] },
    },
    {
      name: 'production-needs-no-tests',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.spec(-helper)?\\.ts$' },
      to: { path: '^(test|bench)/|\\.spec' },
    },
    {
      name: 'no-dev-dependency-in-production',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.spec(-helper)?\\.ts$' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'the-stand-ins-share-no-code-with-us',
      comment: 'A stand-in that imported our parser could not catch its mistakes.',
      severity: 'error',
      from: { path: '^test/(comfyui|oss)/', pathNot: '\\.spec(-helper)?\\.ts$' },
      to: { path: '^src/|ali-oss' },
    },
    {
      name: 'chaos-judges-from-outside',
      comment: 'What it shared with the service could be wrong in both.',
      severity: 'error',
      from: { path: '^test/chaos/' },
      to: { path: '^src/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
