/**
 * What the database holds, as the steps that lead there: a new file goes through all of them, an older one through those it
 * lacks. A step that was released is never changed; a new one is added behind it. Times are milliseconds since the epoch.
 */
export const SCHEMA_STEPS: readonly string[] = [
  `
  CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    created INTEGER NOT NULL,
    finished INTEGER,
    state TEXT NOT NULL,
    request TEXT NOT NULL,
    workflow TEXT
  ) STRICT;
  CREATE INDEX jobs_by_status ON jobs (status, number);
  CREATE INDEX jobs_by_end ON jobs (finished) WHERE finished IS NOT NULL;

  CREATE TABLE assets (
    id TEXT PRIMARY KEY,
    file TEXT NOT NULL,
    hash TEXT,
    kind TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    md5 TEXT NOT NULL,
    path TEXT,
    job TEXT,
    created INTEGER NOT NULL,
    expires INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX assets_by_file ON assets (file);
  CREATE INDEX assets_by_hash ON assets (hash) WHERE hash IS NOT NULL;
  CREATE INDEX assets_by_job ON assets (job) WHERE job IS NOT NULL;
  CREATE INDEX assets_by_expiry ON assets (expires) WHERE expires IS NOT NULL;

  CREATE TABLE idempotency_keys (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    job TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created);
  `,
  // Who is told of a job, and what there is to tell. `ended`: the end of the job has its delivery, or needs none.
  `
  CREATE TABLE webhooks (
    job TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    progress TEXT,
    created INTEGER NOT NULL,
    ended INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX webhooks_open ON webhooks (job) WHERE ended IS NULL;
  CREATE INDEX webhooks_by_end ON webhooks (ended) WHERE ended IS NOT NULL;

  CREATE TABLE webhook_deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    job TEXT NOT NULL,
    event TEXT NOT NULL,
    url TEXT NOT NULL,
    host TEXT NOT NULL,
    body TEXT NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    last_status INTEGER,
    last_error TEXT,
    last_at INTEGER,
    due INTEGER,
    created INTEGER NOT NULL,
    settled INTEGER
  ) STRICT;
  CREATE INDEX webhook_deliveries_by_job ON webhook_deliveries (job, number);
  CREATE INDEX webhook_deliveries_by_status ON webhook_deliveries (status, number);
  CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due, number) WHERE status = 'pending';
  CREATE INDEX webhook_deliveries_settled ON webhook_deliveries (settled) WHERE settled IS NOT NULL;
  `,
];
