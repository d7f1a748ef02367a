import { lchownSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Gives the folder of outputs to the user: the folder, and of its contents only what the server writes again. Outputs are written once
 * and may be millions.
 */
export function prepareOutputs(folder, user) {
  const temporary = join(folder, '.tmp');
  prepare(folder, user, [...inside(temporary), temporary, join(folder, '.link-secret')]);
}

/** Gives the folder of the state database to the user, with the database. */
export function prepareState(folder, user) {
  prepare(
    folder,
    user,
    inside(folder).filter((path) => path.startsWith(join(folder, 'state.sqlite'))),
  );
}

/**
 * Makes the folder if it does not exist. The folder itself comes last: until then a start that was cut off is done again. Nothing here
 * throws: the server says which folder it cannot write to, and why.
 */
function prepare(folder, user, contents) {
  attempt(() => mkdirSync(folder, { recursive: true }));
  for (const path of [...contents, folder]) {
    attempt(() => {
      if (lstatSync(path).uid !== user.uid) lchownSync(path, user.uid, user.gid);
    });
  }
}

/** Paths of what a folder holds; a link is no folder, because whoever may write here could have it lead anywhere. */
function inside(folder) {
  const names = () => (lstatSync(folder).isDirectory() ? readdirSync(folder) : []);
  return attempt(() => names().map((name) => join(folder, name))) ?? [];
}

function attempt(operation) {
  try {
    return operation();
  } catch {
    return undefined;
  }
}
