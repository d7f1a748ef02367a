// Starts the command of the container. A container that starts as root gives the two folders to the user `node` and changes to it; one
// that starts as another user changes nothing. Whether the folders can be written to is checked by the server itself.
import { accessSync, constants, writeSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readEnvironment } from './environment.mjs';
import { prepareOutputs, prepareState } from './folders.mjs';
import { becomeUser, findUser, rightsOfRoot } from './user.mjs';

const SERVER = fileURLToPath(new URL('../dist/main.js', import.meta.url));

const [command, ...args] = process.argv.slice(2);
if (command === undefined) fail('There is no command to run.');
if (process.getuid() === 0) leaveRoot();
const program = findProgram(command);
if (program === undefined) fail(`The command ${JSON.stringify(command)} was not found.`, 127);
// The program takes the place of this process, so signals reach it.
process.execve(program, [command, ...args], process.env);

function leaveRoot() {
  const { allowed, powerless } = rightsOfRoot();
  if (!allowed) {
    if (!powerless) {
      fail(
        'The container starts as root and lacks the capabilities SETUID and SETGID that are needed to change to the user node. ' +
          'Add them (cap_add), drop all capabilities (cap_drop: ALL), or start it as another user (user: 1000:1000).',
      );
    }
    say(
      'The container has no capabilities, so the server stays uid 0. To run it as another user, set one (user: 1000:1000).',
    );
    return;
  }
  const user = findUser('node');
  if (user === undefined)
    fail('The image has no user node. Start the container as another user (user: 1000:1000).');
  // Other programs have folders of their own.
  if (args.some((arg) => resolve(arg) === SERVER)) prepareFolders(user);
  try {
    becomeUser(user);
  } catch (error) {
    fail(
      `The server cannot change to uid ${user.uid}: ${error.message}. Start the container as another user (user: 1000:1000).`,
    );
  }
}

function prepareFolders(user) {
  const { OUTPUT_DIR = 'output_images', STATE_DIR } = readEnvironment();
  prepareOutputs(resolve(OUTPUT_DIR), user);
  if (STATE_DIR !== undefined) prepareState(resolve(STATE_DIR), user);
}

/** As a shell finds it. @returns {string | undefined} the path of a file that may be executed */
function findProgram(name) {
  const candidates = name.includes('/') ? [resolve(name)] : paths().map((folder) => join(folder, name));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function paths() {
  return (process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin').split(delimiter).filter(Boolean);
}

function say(line) {
  writeSync(2, `${line}\n`);
}

function fail(line, code = 1) {
  say(line);
  process.exit(code);
}
