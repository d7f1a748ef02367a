#!/usr/bin/env node
import { main } from './program.js';

// It ends by itself: what is left to be written is written.
process.exitCode = await main(process);
