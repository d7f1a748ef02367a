export { SafeLogger } from './safe-logger.js';
