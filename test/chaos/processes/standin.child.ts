import { ComfyStandin, type ExecutedPrompt, type Graph, type StandinOptions } from '../../comfyui/index.js';
import type { Execution, Order, Report, StandinLook } from './standin-protocol.js';

/** Milliseconds between reports of what ran: what a SIGKILL can hide. */
const REPORT_EVERY_MS = 10;

const options = JSON.parse(process.argv[2] ?? '{}') as StandinOptions;
const comfy = await ComfyStandin.start(options);
const tell = (report: Report) => process.send?.(report);

let told = 0;
setInterval(tellExecuted, REPORT_EVERY_MS);
process.on('message', (order: Order) => tell(obey(order)));
process.once('SIGTERM', () => void comfy.stop().then(() => process.exit(0)));
// Whoever started us is gone.
process.once('disconnect', () => process.exit(0));
// Ctrl+C reaches the whole group; our parent ends us.
process.on('SIGINT', () => undefined);
tell({ type: 'listening' });

function tellExecuted(): void {
  const prompts = comfy.executed.slice(told).map(toExecution);
  told += prompts.length;
  if (prompts.length > 0) tell({ type: 'executed', prompts });
}

function toExecution({ promptId, workflow, outcome, startedAt, endedAt }: ExecutedPrompt): Execution {
  return { promptId, title: titleOf(workflow), outcome, startedAt, endedAt };
}

function titleOf(workflow: Graph): string | undefined {
  for (const { _meta } of Object.values(workflow)) {
    const title = (_meta as { title?: string } | undefined)?.title;
    if (title !== undefined) return title;
  }
  return undefined;
}

function obey(order: Order): Report {
  const { id } = order;
  try {
    if (order.do === 'look') return { type: 'done', id, look: look() };
    const fault = comfy.faults[order.name].bind(comfy.faults) as (...args: readonly unknown[]) => void;
    fault(...order.args);
    return { type: 'done', id };
  } catch (error) {
    return { type: 'done', id, error: String(error) };
  }
}

function look(): StandinLook {
  const { running, pending } = comfy.queue;
  return { running, pending, history: comfy.history.size, sockets: comfy.sockets.count };
}
