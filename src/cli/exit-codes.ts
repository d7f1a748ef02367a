/** How the program ends. Scripts switch on these: none is given another meaning. Listed in docs/cli.md. */
export const EXIT = {
  done: 0,
  /** Something nobody expected, or a file that cannot be written. */
  unexpected: 1,
  /** The command itself is wrong: an option, a file that is not there, a node that the workflow does not have. */
  usage: 2,
  /** The server or ComfyUI refuses the request. */
  refused: 3,
  /** The job ran and failed, or somebody else cancelled it. */
  jobFailed: 4,
  /** The server cannot be reached, or takes no work now. */
  unavailable: 5,
  /** `--timeout` is over; the job goes on. */
  timedOut: 6,
  /** Ctrl-C; the job is cancelled. */
  interrupted: 130,
  /** SIGTERM; the job is cancelled. */
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
