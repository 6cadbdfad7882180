/** When a job of a Slurm cluster reached its stages: by the times of its files, and of its agent's log. */
import type { TestCluster } from '@dstack/testkit/slurm';
import { micros } from './runs.ts';

export type SlurmStage =
  | 'order at the login node'
  | 'batch script'
  | 'port of the agent'
  | 'agent listening'
  | 'job running';

/** Lines of the agent's log. */
const EVENTS: ReadonlyMap<string, SlurmStage> = new Map([
  ['listening', 'agent listening'],
  ['phase running', 'job running'],
]);

/**
 * Milliseconds since the epoch. The output of a batch job is created just before its script starts, and
 * the folder of a job with the first command of its submission.
 */
export async function stagesOf(
  cluster: TestCluster,
  name: string,
): Promise<ReadonlyMap<SlurmStage, number>> {
  const folder = `~/.dstack/jobs/dstack-main-${name}-*`;
  const output = await cluster.login(
    [
      `stat -c 'born %.9W' ${folder}/lock ${folder}/output.log`,
      `stat -c 'changed %.9Y' ${folder}/agent/tunnel.0`,
      `cat ${folder}/output.log`,
    ].join('\n'),
  );
  const times = [...output.matchAll(/^(?:born|changed) (\d+\.\d+)$/gm)];
  const [order, script, port] = times.map(([, seconds]) => Number(seconds) * 1000);
  const stages = new Map<SlurmStage, number>();
  if (order) stages.set('order at the login node', order);
  if (script) stages.set('batch script', script);
  if (port) stages.set('port of the agent', port);
  for (const line of output.split('\n').filter((each) => each.startsWith('{"time"'))) {
    const { time, event, phase } = JSON.parse(line) as Record<string, string>;
    const stage = EVENTS.get(phase ? `${event} ${phase}` : `${event}`);
    if (stage && time) stages.set(stage, micros(time) / 1000);
  }
  return stages;
}
