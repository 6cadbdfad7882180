/** One pod after the other, each beside a bare one, so that both meet the same load. */
import type { Installation } from '@dstack/testkit';
import type { ApiProxy } from '@dstack/testkit/kubernetes-proxy';
import type { BarePods } from './kubernetes-pods.ts';
import { AGENT, JOB, stop, untilRunning } from './kubernetes-runs.ts';
import { PodStages } from './kubernetes-stages.ts';
import { print, summary } from './measure.ts';
import { eventTimes, submit } from './runs.ts';

const SINGLE = 10;

/** How the agent gets into pods. */
const WAYS = {
  copy: 'the agent copied by the server',
  image: 'the image of the agent',
  claim: 'the agent on the nodes',
} as const;
export type AgentWay = keyof typeof WAYS;

export async function singles(
  way: AgentWay,
  home: Installation,
  pods: BarePods,
  api: ApiProxy,
): Promise<void> {
  const figures = new Map<string, number[]>();
  const record = (name: string, ms: number) =>
    figures.set(name, [...(figures.get(name) ?? []), ms]);
  const stages = await PodStages.open(api);
  for (let i = 0; i <= SINGLE; i++) {
    const bare = `bare-${way}-${i}`;
    const floor = await pods.timed(bare);
    const copied = way === 'image' ? await pods.timed(`copy-${i}`, AGENT) : null;
    const name = `${way}-${i}`;
    const id = await submit(home, name, { commands: ['sleep 1000'], ...JOB });
    const took = await untilRunning(home, name, id);
    const pod = stages.names().find((each) => each.includes(`-${name}-0-0-`)) ?? '';
    const times = { ...stages.of(pod), ...(await stages.ofAgent(pod)) };
    const at = await eventTimes(home, id);
    await stop(home, [name]);
    // The first one fills caches.
    if (i === 0) continue;
    record('bare pod, created to running', floor);
    if (copied !== null) record('bare pod that copies the image of the agent first', copied);
    const { created = Number.NaN, started = Number.NaN } = stages.of(bare);
    record('bare pod, created to its event `Started`', started - created);
    const what = WAYS[way];
    record(`${what}, submit to running`, took);
    const since = at(/^Run submitted/) / 1000;
    for (const [stage, time] of Object.entries(times)) {
      record(`${what}, submit to pod's \`${stage}\``, time - since);
    }
  }
  stages.close();
  for (const [name, samples] of figures) {
    print({ name: `kubernetes: ${name}`, unit: 'ms', ...summary(samples) });
  }
}
