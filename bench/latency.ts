/**
 * Latency of submit → running → done, and of a printed line until it reaches the terminal; also
 * under load.
 */
import type { Installation } from '@dstack/testkit';
import { dockerForBench } from './docker.ts';
import { installation } from './installation.ts';
import { print, summary } from './measure.ts';
import { delaysOfPrintedTimes } from './printed-times.ts';
import { applyFleet, type RunTimes, submit, timedRun } from './runs.ts';

const RUNS = 50;
const QUEUED = 200;
const LINES = 200;

export async function latency(): Promise<void> {
  await measureOn('process', {});
  const docker = await dockerForBench();
  if (!docker) {
    print({ name: 'docker executor', unit: '-', skipped: 'no Docker daemon could be started' });
    return;
  }
  try {
    print({ name: 'docker run --rm busybox true', unit: 'ms', ...summary(docker.bareRuns(20)) });
    await measureOn('docker', { DOCKER_HOST: docker.host }, { image: docker.image });
  } finally {
    await docker.stop();
  }
}

async function measureOn(
  executor: 'docker' | 'process',
  env: NodeJS.ProcessEnv,
  configuration: Record<string, unknown> = {},
): Promise<void> {
  const home = installation({ DSTACK_LOCAL_EXECUTOR: executor, ...env });
  try {
    await home.startServer();
    await applyFleet(home, '0..4');
    await timedRun(home, 'warm-up', configuration);
    await lifeOfRuns(home, executor, configuration);
    // The clock of busybox has no fractions; both executors forward a line in the same way.
    if (executor === 'process') await lineToTerminal(home, executor, configuration);
    await underQueue(home, executor, configuration);
  } finally {
    await home.dispose();
  }
}

async function lifeOfRuns(
  home: Installation,
  executor: string,
  configuration: Record<string, unknown>,
) {
  const times: RunTimes[] = [];
  for (let i = 0; i < RUNS; i++) times.push(await timedRun(home, `hi-${i}`, configuration));
  const ms = (pick: (t: RunTimes) => number) => summary(times.map((t) => pick(t) / 1000));
  print({
    name: `${executor}: submit to running`,
    unit: 'ms',
    ...ms((t) => t.running - t.submitted),
  });
  print({ name: `${executor}: submit to done`, unit: 'ms', ...ms((t) => t.done - t.submitted) });
  print({ name: `${executor}: exit to done`, unit: 'ms', ...ms((t) => t.done - t.exited) });
}

/** The job prints the time, and the reader of the terminal compares. */
async function lineToTerminal(
  home: Installation,
  executor: string,
  configuration: Record<string, unknown>,
) {
  await submit(home, 'ticker', {
    commands: [`for i in $(seq ${LINES}); do date +%s%N; sleep 0.02; done`],
    ...configuration,
  });
  const delays = await delaysOfPrintedTimes(home, 'ticker');
  // Lines printed before the follower connected are not counted.
  print({
    name: `${executor}: line printed to visible`,
    unit: 'ms',
    ...summary(delays.slice(LINES / 2)),
  });
}

/** Runs that wait for capacity that does not exist must not delay a run that can be placed. */
async function underQueue(
  home: Installation,
  executor: string,
  configuration: Record<string, unknown>,
) {
  const impossible = {
    resources: { gpu: 'H100:8' },
    retry: { on_events: ['no-capacity'], duration: '1h' },
  };
  for (let i = 0; i < QUEUED; i++) {
    await submit(home, `queued-${i}`, { commands: ['true'], ...configuration, ...impossible });
  }
  const times: RunTimes[] = [];
  for (let i = 0; i < 20; i++) times.push(await timedRun(home, `among-${i}`, configuration));
  print({
    name: `${executor}: submit to running under ${QUEUED} queued runs`,
    unit: 'ms',
    ...summary(times.map((t) => (t.running - t.submitted) / 1000)),
  });
}
