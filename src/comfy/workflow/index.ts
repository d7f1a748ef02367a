export { linkOf, parseWorkflow, withInput, type Workflow, type WorkflowNode } from './workflow.js';
export { type AssetReference, assetReferences, referenceTo, withFileNames } from './asset-reference.js';
export { chooseOutputNode, findOutputNode, type OutputPlace } from './output-node.js';
export {
  inJobFolder,
  isInJobFolder,
  jobFolder,
  jobName,
  takesJobFolder,
  withCleanNames,
} from './job-folder.js';
export {
  embeddedForm,
  type EmbeddedForm,
  knownMedia,
  type MediaInput,
  type MediaKind,
  type UrlInput,
} from './media.js';
export { isPathName, namesModel, type PathFault, pathFault } from './host-path.js';
export { modelsOf } from './models.js';
export { isOutputClass, mayOverwrite, withMark } from './output-classes.js';
export { overSocket, SOCKET_OUTPUT_CLASS, wantsSocket } from './socket-outputs.js';
export { type UnwrappedWorkflow, unwrapWorkflow } from './unwrap.js';
export { textSize } from './text-size.js';
export { shapeOf } from './shape.js';
export { type JsonLimits, type JsonScan, scanJson } from './json-scan.js';
export { parseJson, stringifyJson } from './lossless-json.js';
