import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Caller } from './caller.js';
import { complaint, type ExpectedFile } from './expected-file.js';
import type { Expected, JobPlan } from './plan.js';
import { NEVER, readProblemCodes } from './problem-codes.js';

/** What a call came to. */
export type Verdict =
  /** The right bytes. */
  | { is: 'right' }
  /** The error that this job has to end in. */
  | { is: 'asked for'; code: string }
  /** An error that what happened around it explains. */
  | { is: 'unlucky'; code: string; detail: string }
  | { is: 'hung up' }
  /** The service was killed under it. */
  | { is: 'killed' }
  | { is: 'wrong'; why: string }
  | { is: 'hung'; why: string };

export interface JudgeOptions {
  /** Was the service killed in this time (ms since 1970)? */
  wasAway: (from: number, to: number) => boolean;
  /** Texts that no answer may give away: folders and addresses of ours. */
  secrets: readonly string[];
  /** Codes that are legal although they are in `NEVER`. */
  pardoned?: readonly string[];
}

/** Milliseconds in which a link has to lead to its file, whatever is broken at first. */
const LINK_LIMIT_MS = 60_000;

/** Milliseconds for one try. */
const LINK_TRY_MS = 15_000;

interface Problem {
  status: number;
  code: string;
  title: string;
  detail: string;
  job_url?: string;
}

interface Reply {
  url: string;
  job_id: string;
  outputs: { url: string; size: number; content_type: string }[];
}

/** Judges answers by what their caller sees. */
export class Judge {
  private readonly codes = readProblemCodes();

  constructor(
    private readonly caller: Caller,
    private readonly options: JudgeOptions,
  ) {}

  /** @param from when the call was made, in ms since 1970 */
  async judge(plan: JobPlan, answer: Answer, from: number): Promise<Verdict> {
    switch (answer.is) {
      case 'hung up':
        return { is: 'hung up' };
      case 'silence':
        return { is: 'hung', why: 'no answer' };
      case 'broken':
        return this.options.wasAway(from, Date.now())
          ? { is: 'killed' }
          : { is: 'wrong', why: `the connection broke: ${answer.why}` };
      case 'reply':
        return answer.status === 200 ? this.success(plan, answer) : this.failure(plan.expected, answer);
    }
  }

  private async success(
    { expected, answer: wanted }: JobPlan,
    answer: Answer & { is: 'reply' },
  ): Promise<Verdict> {
    if ('code' in expected) return { is: 'wrong', why: `200 instead of ${expected.code}` };
    const { files, index } = expected;
    if (wanted === 'file') {
      const file = files[index];
      const why = file === undefined ? 'no such file' : await complaint(answer.body, file);
      return why === undefined ? { is: 'right' } : { is: 'wrong', why };
    }
    let reply: Reply;
    try {
      reply = JSON.parse(answer.body.toString()) as Reply;
    } catch {
      return { is: 'wrong', why: `not JSON: ${answer.body.toString().slice(0, 200)}` };
    }
    return this.links(reply, files, index);
  }

  /** Every link of the reply has to lead to its file. */
  private async links(reply: Reply, files: readonly ExpectedFile[], index: number): Promise<Verdict> {
    if (reply.outputs.length !== files.length)
      return { is: 'wrong', why: `${reply.outputs.length} files instead of ${files.length}` };
    if (reply.url !== reply.outputs[index]?.url) return { is: 'wrong', why: '`url` is of another file' };
    for (const [at, file] of files.entries()) {
      const output = reply.outputs[at];
      if (output === undefined) continue;
      const fetched = await this.fetch(output.url);
      if (!Buffer.isBuffer(fetched)) return fetched;
      const why =
        fetched.length === output.size ? await complaint(fetched, file) : `\`size\` is ${output.size}`;
      if (why !== undefined) return { is: 'wrong', why: `file ${at} of job ${reply.job_id}: ${why}` };
    }
    return { is: 'right' };
  }

  /** The bytes behind a link. Faults of the moment are sat out; an answer that it does not exist is final. */
  private async fetch(link: string): Promise<Buffer | Verdict> {
    const deadline = Date.now() + LINK_LIMIT_MS;
    let last = '';
    for (let url = link; Date.now() < deadline;) {
      const answer = await this.caller.get(url, LINK_TRY_MS);
      if (answer.is === 'reply') {
        const { status, headers, body } = answer;
        if (status === 200) return body;
        const location = headers['location'];
        if (status === 302 && location !== undefined) {
          url = location;
          continue;
        }
        last = `${status} ${body.toString().slice(0, 200)}`;
        if (status < 500) return { is: 'wrong', why: `its link was answered with ${last}` };
      } else last = answer.is === 'broken' ? answer.why : answer.is;
      url = link;
      await sleep(250);
    }
    return { is: 'hung', why: `its link leads nowhere: ${last}` };
  }

  private async failure(expected: Expected, answer: Answer & { is: 'reply' }): Promise<Verdict> {
    const text = answer.body.toString();
    const problem = this.readProblem(answer, text);
    if (typeof problem === 'string') return { is: 'wrong', why: problem };
    const { code, detail } = problem;
    if ('code' in expected && code === expected.code) return { is: 'asked for', code };
    if (NEVER.has(code) && this.options.pardoned?.includes(code) !== true)
      return { is: 'wrong', why: `${answer.status} ${code}: ${detail}` };
    if (problem.job_url !== undefined) {
      const later = await this.caller.get(problem.job_url, LINK_TRY_MS);
      // After a restart it may be forgotten.
      if (later.is === 'reply' && later.status === 500) return { is: 'wrong', why: 'job_url gives a 500' };
    }
    return { is: 'unlucky', code, detail };
  }

  /** @returns what is wrong with it, as a text */
  private readProblem({ status, type }: Answer & { is: 'reply' }, text: string): Problem | string {
    if (!type.startsWith('application/problem+json')) return `${status} ${type}: ${text.slice(0, 200)}`;
    const problem = JSON.parse(text) as Problem;
    for (const member of ['code', 'title', 'detail'] as const)
      if (typeof problem[member] !== 'string' || problem[member] === '') return `a problem without ${member}`;
    if (problem.status !== status) return `status ${status} with ${problem.status} in the body`;
    const statuses = this.codes.get(problem.code);
    if (statuses === undefined) return `unknown code ${problem.code}`;
    if (!statuses.includes(status)) return `${problem.code} with status ${status}`;
    const secret = this.options.secrets.find((each) => text.includes(each));
    return secret === undefined ? problem : `it gives away ${secret}: ${text.slice(0, 300)}`;
  }
}
