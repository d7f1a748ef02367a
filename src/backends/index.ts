export { BackendsModule } from './backends.module.js';
