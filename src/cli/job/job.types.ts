import type { NodeError } from '../cli.error.js';

/** A job that has not ended, as `GET /api/generate/{id}` tells it. */
export interface Pending {
  job_id: string;
  job_url: string;
  status: string;
  position?: number;
  starts_in_ms?: number;
  ends_in_ms?: number;
  progress: number;
}

export interface OutputFile {
  node_id: string;
  index: number;
  kind: string;
  url: string;
  content_type: string;
  size: number;
  filename: string;
  expires_at: string | null;
}

/** A job that has succeeded. */
export interface Reply {
  url: string;
  expires_at: string | null;
  job_id: string;
  outputs: OutputFile[];
  timings: Record<string, number>;
  attempts: number;
  node_errors?: Record<string, NodeError>;
  warnings?: { code: string; message: string; node_id?: string }[];
}

/** How far a job is, as `/api/v2` tells it. */
export interface JobProgress {
  value: number;
  nodes_done: number;
  nodes_total: number;
  current_node: string | null;
  current_node_class: string | null;
  step: number | null;
  steps: number | null;
}

/** A job as `/api/v2/jobs` tells it. */
export interface Job {
  id: string;
  status: string;
  created_at: string;
  started_at: string | null;
  completed_at: string | null;
  queue_position: number | null;
  progress: JobProgress | null;
  outputs: { node_id: string; name: string; type: string; url: string; size_bytes: number }[];
  error: { code: string; message: string; node_id: string | null; class_type: string | null } | null;
  metrics: Record<string, number | null>;
}

/** What is heard of a job while it is followed. Times are milliseconds from now. */
export type JobNews =
  | {
      type: 'status';
      status: string;
      position: number | undefined;
      startsInMs: number | undefined;
      endsInMs: number | undefined;
    }
  | { type: 'progress'; progress: JobProgress }
  | { type: 'preview'; bytes: Buffer }
  | { type: 'log'; level: string; message: string };
