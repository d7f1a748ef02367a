export { FETCH_LIMITS, FetchedFiles, type FetchLimits, type Lease } from './fetched-files.js';
export { asInputError, invalidInput } from './input.error.js';
export { type FormFile, InputIntake, type TakenIn } from './input-intake.js';
export { ClassInfo } from './class-info.js';
export { OwnFiles } from './own-files.js';
export { PathGuard } from './path-guard.js';
export { type DrawnSeed, SeedDrawer } from './seed-drawer.js';
export { MediaFinder } from './media-finder.js';
export { typeMismatch } from './media-type.js';
