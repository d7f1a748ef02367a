import type { StateDatabase } from '../state/index.js';
import type { FileKind } from '../storage/index.js';
import type { Asset } from './asset.types.js';

interface Row {
  id: string;
  file: string;
  hash: string | null;
  kind: string;
  content_type: string;
  size: number;
  md5: string;
  path: string | null;
  job: string | null;
  created: number;
  expires: number | null;
}

/** The table of assets. Every method may throw StateError. */
export class AssetRecords {
  constructor(private readonly database: StateDatabase) {}

  insert(asset: Asset): void {
    this.database.run(
      `INSERT INTO assets (id, file, hash, kind, content_type, size, md5, path, job, created, expires)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      asset.id,
      asset.file,
      asset.hash,
      asset.kind,
      asset.contentType,
      asset.size,
      asset.md5,
      asset.path,
      asset.job,
      asset.createdAt,
      asset.expiresAt,
    );
  }

  find(id: string): Asset | undefined {
    const row = this.database.get<Row>('SELECT * FROM assets WHERE id = ?', id);
    return row && toAsset(row);
  }

  /** The longest-lived one of this file. */
  withFile(file: string, now: number): Asset | undefined {
    const row = this.database.get<Row>(
      `SELECT * FROM assets WHERE file = ? AND (expires IS NULL OR expires > ?)
       ORDER BY expires IS NOT NULL, expires DESC LIMIT 1`,
      file,
      now,
    );
    return row && toAsset(row);
  }

  /** Hashes of what a job made, by asset, where they are known. */
  hashesOfJob(job: string): { id: string; hash: string }[] {
    return this.database.all('SELECT id, hash FROM assets WHERE job = ? AND hash IS NOT NULL', job);
  }

  /** Those with these bytes, one for each file, the longest-lived first. @param uploads not what jobs made */
  withHash(hash: string, now: number, uploads: boolean): Asset[] {
    return this.database
      .all<Row>(
        `SELECT * FROM assets WHERE hash = ? AND (expires IS NULL OR expires > ?) AND (job IS NULL OR NOT ?)
         GROUP BY file ORDER BY expires IS NOT NULL, expires DESC`,
        hash,
        now,
        Number(uploads),
      )
      .map(toAsset);
  }

  ofJob(job: string): Asset[] {
    return this.database.all<Row>('SELECT * FROM assets WHERE job = ?', job).map(toAsset);
  }

  /** An upload with these bytes and this name. */
  twin(hash: string, path: string | null, now: number): Asset | undefined {
    const row = this.database.get<Row>(
      'SELECT * FROM assets WHERE hash = ? AND path IS ? AND job IS NULL AND (expires IS NULL OR expires > ?)',
      hash,
      path,
      now,
    );
    return row && toAsset(row);
  }

  /** The first to expire first, beyond the first `offset`. */
  expired(now: number, limit: number, offset: number): Asset[] {
    return this.database
      .all<Row>(
        'SELECT * FROM assets WHERE expires IS NOT NULL AND expires <= ? ORDER BY expires LIMIT ? OFFSET ?',
        now,
        limit,
        offset,
      )
      .map(toAsset);
  }

  /** Uploads beyond the newest `keep`. */
  uploadsBeyond(keep: number, limit: number): Asset[] {
    return this.database
      .all<Row>('SELECT * FROM assets WHERE job IS NULL ORDER BY created DESC LIMIT ? OFFSET ?', limit, keep)
      .map(toAsset);
  }

  prolong(id: string, expires: number | null): void {
    this.database.run('UPDATE assets SET expires = ? WHERE id = ?', expires, id);
  }

  /** Of every asset with this file. */
  setHash(file: string, hash: string): void {
    this.database.run('UPDATE assets SET hash = ? WHERE file = ?', hash, file);
  }

  /** @returns whether no other asset needs the file any more; undefined where there was no such asset */
  remove(id: string): { file: string; orphaned: boolean } | undefined {
    return this.database.transaction(() => {
      const row = this.database.get<{ file: string }>('SELECT file FROM assets WHERE id = ?', id);
      if (row === undefined) return undefined;
      this.database.run('DELETE FROM assets WHERE id = ?', id);
      return { file: row.file, orphaned: !this.isNamed(row.file) };
    });
  }

  forgetJob(job: string): void {
    this.database.run('DELETE FROM assets WHERE job = ?', job);
  }

  isNamed(file: string): boolean {
    return this.database.get('SELECT 1 FROM assets WHERE file = ? LIMIT 1', file) !== undefined;
  }
}

function toAsset(row: Row): Asset {
  const { content_type: contentType, created: createdAt, expires: expiresAt, kind, ...rest } = row;
  return { ...rest, kind: kind as FileKind, contentType, createdAt, expiresAt };
}
