export { linkOf, parseWorkflow, type Workflow, type WorkflowNode } from './workflow.js';
export { assetIds, type AssetReference, assetReferences, withFileNames } from './asset-reference.js';
export { chooseOutputNode, findOutputNode, type OutputPlace } from './output-node.js';
export { inJobFolder, jobFolder } from './job-folder.js';
export { modelsOf } from './models.js';
export { overSocket, SOCKET_OUTPUT_CLASS, wantsSocket } from './socket-outputs.js';
export { shapeOf } from './shape.js';
export { parseJson, stringifyJson } from './lossless-json.js';
