import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StateDatabase } from './state-database.js';
import { StateError } from './state.error.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'state-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const SET = "INSERT INTO meta VALUES ('x', ?)";
const read = (state: StateDatabase) =>
  state.get<{ value: string }>("SELECT value FROM meta WHERE name = 'x'")?.value;

describe('StateDatabase', () => {
  it('finds again what was written, and who it is', async () => {
    const first = await StateDatabase.open(join(folder, 'new'));
    first.run(SET, 'kept');
    first.close();
    const second = await StateDatabase.open(join(folder, 'new'));
    expect(read(second)).toBe('kept');
    expect(second.owner).toBe(first.owner);
    expect(second.durable).toBe(true);
    second.close();
  });

  it('remembers in memory where there is no folder', async () => {
    const [a, b] = await Promise.all([StateDatabase.open(), StateDatabase.open()]);
    a.run(SET, 'a');
    expect(read(a)).toBe('a');
    expect(read(b)).toBeUndefined();
    expect(a.owner).not.toBe(b.owner);
    expect(a.durable).toBe(false);
    a.close();
    b.close();
    b.close();
  });

  it('is for its user only', async () => {
    const state = await StateDatabase.open(join(folder, 'own'));
    expect((await stat(join(folder, 'own'))).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, 'own', 'state.sqlite'))).mode & 0o777).toBe(0o600);
    state.close();
  });

  it('does all of a transaction or nothing', async () => {
    const state = await StateDatabase.open();
    const broken = () =>
      state.transaction(() => {
        state.transaction(() => state.run(SET, 'gone'));
        throw new Error('no');
      });
    expect(broken).toThrow('no');
    expect(read(state)).toBeUndefined();
    expect(state.transaction(() => state.run(SET, 'there'))).toBe(1);
    expect(read(state)).toBe('there');
    expect(() => state.run(SET, 'twice')).toThrow(StateError);
    state.close();
  });

  it('is held by one process at a time, and let go by one that is killed', async () => {
    (await StateDatabase.open(folder)).close();
    const holder = await hold(folder);
    await expect(StateDatabase.open(folder, 0)).rejects.toThrow(/another process uses it.*STATE_DIR/);
    const waiting = StateDatabase.open(folder, 20_000);
    holder.kill('SIGKILL');
    const state = await waiting;
    expect(read(state)).toBe('by the other');
    state.close();
  });

  it('says which folder cannot be used', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(StateDatabase.open(join(folder, 'file'), 0)).rejects.toThrow(/file.*cannot be used/);
    await writeFile(join(folder, 'state.sqlite'), 'this is no database, and longer than a header'.repeat(20));
    await expect(StateDatabase.open(folder, 0)).rejects.toThrow(/not a database|malformed/);
    expect(await readFile(join(folder, 'state.sqlite'), 'utf8')).toContain('this is no database');
  });

  it('leaves the file of a later version alone', async () => {
    const state = await StateDatabase.open(folder);
    state.run('PRAGMA user_version = 1000');
    state.close();
    await expect(StateDatabase.open(folder, 0)).rejects.toThrow(/later version/);
  });
});

/** Another process that has the database open. */
async function hold(directory: string): Promise<ChildProcess> {
  const script = join(directory, 'holder.mjs');
  const library = import.meta.resolve('@photostructure/sqlite');
  await writeFile(
    script,
    `import { DatabaseSync } from ${JSON.stringify(library)};
     // Held by more than a name: one that is collected lets go of the file.
     const database = (globalThis.database = new DatabaseSync(${JSON.stringify(join(directory, 'state.sqlite'))}));
     database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;');
     database.exec("INSERT INTO meta VALUES ('x', 'by the other')");
     process.send('open');
     setInterval(() => {}, 1000);`,
  );
  const child = fork(script);
  await once(child, 'message');
  return child;
}
