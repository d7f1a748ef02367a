import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  DatabaseSync,
  type DatabaseSyncInstance as Database,
  type StatementSyncInstance as Statement,
} from '@photostructure/sqlite';
import { unusableFolder } from '../config/index.js';
import { SCHEMA_STEPS } from './schema.js';
import { StateError } from './state.error.js';

type Value = string | number | null;

/** Milliseconds between two tries at a database that another process holds. */
const TRY_EVERY_MS = 200;

/**
 * What is remembered: in a SQLite file where there is a folder for it, else in memory. One process at a time holds the file; a
 * kill of the process loses nothing that was written (WAL), a power cut at most the last moments (`synchronous = NORMAL`,
 * https://www.sqlite.org/pragma.html#pragma_synchronous), which is why a write costs microseconds and is done at once.
 */
export class StateDatabase {
  private readonly statements = new Map<string, Statement>();
  private depth = 0;

  private constructor(
    private readonly database: Database,
    /** Does a restart find it again? */
    readonly durable: boolean,
    /** Names those who remember the same things: the same after a restart, where it is durable. */
    readonly owner: string,
  ) {}

  /**
   * @param directory made if it is not there, for this user only; absent: in memory
   * @param waitMs how long another process may still hold the file; one that shuts down lets go of it
   * @throws StartError naming the folder where it cannot be used
   */
  static async open(directory?: string, waitMs = 30_000): Promise<StateDatabase> {
    if (directory === undefined) return StateDatabase.prepare(new DatabaseSync(':memory:'), false);
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const path = join(directory, 'state.sqlite');
      await checkAccess(directory, path);
      await keepPrivate(path);
      const deadline = performance.now() + waitMs;
      for (;;) {
        const database = new DatabaseSync(path);
        try {
          return StateDatabase.prepare(database, true);
        } catch (error) {
          if (!isLocked(error)) release(database);
          database.close();
          if (!isLocked(error) || performance.now() > deadline) throw error;
        }
        await delay(TRY_EVERY_MS);
      }
    } catch (error) {
      const reason = isLocked(error) ? new Error('another process uses it') : error;
      throw unusableFolder({ name: 'state folder', setting: 'STATE_DIR', path: directory }, reason);
    }
  }

  /** All rows. @throws StateError */
  all<Row>(sql: string, ...values: Value[]): Row[] {
    return this.attempt(() => this.statement(sql).all(...values)) as Row[];
  }

  /** The first row. @throws StateError */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  get<Row>(sql: string, ...values: Value[]): Row | undefined {
    return this.attempt(() => this.statement(sql).get(...values)) as Row | undefined;
  }

  /** @returns how many rows it changed @throws StateError */
  run(sql: string, ...values: Value[]): number {
    return this.attempt(() => this.statement(sql).run(...values)).changes;
  }

  /** All of it or nothing; may be nested. @throws StateError, and what `work` throws */
  transaction<T>(work: () => T): T {
    if (this.depth > 0) return work();
    this.attempt(() => this.database.exec('BEGIN IMMEDIATE'));
    this.depth += 1;
    try {
      const result = work();
      this.attempt(() => this.database.exec('COMMIT'));
      return result;
    } catch (error) {
      if (this.database.isTransaction) this.database.exec('ROLLBACK');
      throw error;
    } finally {
      this.depth -= 1;
    }
  }

  /** Lets go of the file. May be called twice. */
  close(): void {
    if (!this.database.isOpen) return;
    release(this.database);
    this.database.close();
  }

  private static prepare(database: Database, durable: boolean): StateDatabase {
    // A lock that ends with the process, however it ends: two who give the same jobs away would render them twice.
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = NORMAL');
    database.exec('BEGIN IMMEDIATE');
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as {
      user_version: number;
    };
    if (version > SCHEMA_STEPS.length) {
      throw new Error('it was written by a later version of this program');
    }
    for (const step of SCHEMA_STEPS.slice(version)) database.exec(step);
    database.exec(`PRAGMA user_version = ${SCHEMA_STEPS.length}`);
    database.prepare("INSERT OR IGNORE INTO meta VALUES ('owner', ?)").run(randomUUID());
    const owner = database.prepare("SELECT value FROM meta WHERE name = 'owner'").get() as { value: string };
    database.exec('COMMIT');
    return new StateDatabase(database, durable, owner.value);
  }

  private statement(sql: string): Statement {
    const known = this.statements.get(sql) ?? this.database.prepare(sql);
    this.statements.set(sql, known);
    return known;
  }

  private attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw new StateError('The server cannot write down what it has to remember.', error);
    }
  }
}

/**
 * Gives the lock back. Closing alone does not: this library's statements keep their connection until they are collected. A
 * process that dies lets go of everything anyway.
 */
function release(database: Database): void {
  try {
    if (database.isTransaction) database.exec('ROLLBACK');
    // Out of WAL first, else the mode of locking stays; and it changes with the next access.
    database.exec('PRAGMA journal_mode = DELETE; PRAGMA locking_mode = NORMAL');
    database.exec('SELECT count(*) FROM meta');
  } catch {
    // Then it is given back a little later.
  }
}

/** For this user only, before anything is in it: SQLite makes its `-wal` and `-shm` files with the mode of the database. */
async function keepPrivate(path: string): Promise<void> {
  const file = await open(path, 'a', 0o600);
  await file.close();
  for (const suffix of ['', '-wal', '-shm', '-journal']) {
    await chmod(`${path}${suffix}`, 0o600).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}

/** SQLite's own errors do not tell why a file cannot be opened or written. */
async function checkAccess(directory: string, file: string): Promise<void> {
  await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  await access(file, constants.R_OK | constants.W_OK).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

function isLocked(error: unknown): boolean {
  const { errcode = 0 } = (error ?? {}) as { errcode?: number };
  // The lower byte: https://www.sqlite.org/rescode.html#extrc
  return (errcode & 0xff) === 5;
}
