import { ComfyStandin, type StandinOptions } from '../../test/comfyui/index.js';

const options = JSON.parse(process.argv[2] ?? '{}') as StandinOptions;
const comfy = await ComfyStandin.start(options);
const end = () => void comfy.stop().then(() => process.exit(0));
process.once('SIGTERM', end);
// Whoever started us is gone.
process.once('disconnect', end);
// Ctrl+C reaches the whole group; our parent ends us.
process.on('SIGINT', () => undefined);
process.send?.(comfy.url);
