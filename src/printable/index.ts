export { printable, printableJson, printableStack } from './printable.js';
