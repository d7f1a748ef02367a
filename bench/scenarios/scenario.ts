import type { Report } from '../report/report.js';

export interface ScenarioOptions {
  /** Rounds of the scenarios that compare in turns. */
  rounds: number;
  /** Fewer calls, for a first look. */
  quick: boolean;
  /** A real ComfyUI; absent: the stand-in. */
  comfyui: string | undefined;
  /** Tells people that we are alive. */
  note: (text: string) => void;
}

export interface Scenario {
  name: string;
  /** Can it be measured with a real ComfyUI? */
  real: boolean;
  run(options: ScenarioOptions): Promise<Report[]>;
}
