import type { JobForecast, JobState } from '../comfy/index.js';

/** A job at one moment, as watchers are told of it. */
export interface JobSnapshot {
  state: JobState;
  forecast: JobForecast;
}
