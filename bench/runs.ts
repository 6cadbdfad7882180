/** Runs on an installation, with the times that the server recorded (microseconds). */
import { readFileSync } from 'node:fs';
import type { Installation } from '@dstack/testkit';

interface Event {
  readonly message: string;
  readonly recorded_at: string;
}

export interface RunTimes {
  readonly submitted: number;
  readonly running: number;
  readonly done: number;
  /** The end of the process, by the kernel's clock (10 ms steps). */
  readonly exited: number;
}

export async function applyFleet(
  installation: Installation,
  nodes: string,
  name = 'default',
): Promise<void> {
  const configuration = {
    type: 'fleet',
    name,
    nodes,
    idle_duration: '1h',
    resources: { gpu: 0 },
  };
  await installation.api('/api/project/main/fleets/apply', {
    plan: { spec: { configuration, profile: { name: 'default' } }, current_resource: null },
    force: false,
  });
}

/** Creates a fleet of SSH hosts; resolves when all of them are idle. */
export async function applySshFleet(
  installation: Installation,
  name: string,
  privateKey: string,
  hosts: readonly { readonly hostname: string; readonly port?: number }[],
  blocks: number,
): Promise<void> {
  const ssh_config = {
    user: 'root',
    ssh_key: { public: '', private: privateKey },
    hosts: hosts.map((host) => ({ ...host, blocks })),
  };
  await installation.api('/api/project/main/fleets/apply', {
    plan: {
      spec: { configuration: { type: 'fleet', name, ssh_config }, profile: { name: 'default' } },
      current_resource: null,
    },
    force: false,
  });
  for (;;) {
    const { instances } = await installation.api<{
      instances: { status: string; termination_reason_message: string | null }[];
    }>('/api/project/main/fleets/get', { name });
    const failed = instances.find(({ status }) => status === 'terminated');
    if (failed) throw new Error(`fleet ${name}: ${failed.termination_reason_message}`);
    if (instances.every(({ status }) => status === 'idle')) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export async function submit(
  installation: Installation,
  runName: string,
  configuration: Record<string, unknown>,
): Promise<string> {
  const task = { type: 'task', name: runName, resources: { gpu: 0 }, ...configuration };
  const run = await installation.api<{ id: string }>('/api/project/main/runs/apply', {
    plan: { run_spec: { run_name: runName, configuration: task }, current_resource: null },
    force: false,
  });
  return run.id;
}

const POLL_MS = 100;

/**
 * Resolves when all runs, a hundred at most, are running. One question serves all of them: one per run would
 * keep the server busy with answers.
 */
export async function allRunning(
  installation: Installation,
  names: readonly string[],
): Promise<void> {
  for (;;) {
    const runs = await installation.api<{ status: string; run_spec: { run_name: string } }[]>(
      '/api/runs/list',
      { limit: 100 },
    );
    const ours = runs.filter(({ run_spec }) => names.includes(run_spec.run_name));
    const ended = ours.find(({ status }) => ['failed', 'done', 'terminated'].includes(status));
    if (ended) throw new Error(`${ended.run_spec.run_name}: ${ended.status}`);
    if (ours.filter(({ status }) => status === 'running').length === names.length) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Resolves when the run is finished, by the server's event stream rather than by polling. */
export async function finished(installation: Installation, runName: string): Promise<string> {
  const url = new URL(`/api/project/main/runs/watch?run_name=${runName}`, installation.url);
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${installation.token()}` },
  });
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter((one) => one.startsWith('data: {'))) {
      // Checks the run itself: a submission that is retried has finished as well.
      const { status } = JSON.parse(line.slice('data: '.length)) as { status?: string };
      if (!status || !['done', 'failed', 'terminated'].includes(status)) continue;
      await response.body?.cancel().catch(() => {});
      return status;
    }
  }
  throw new Error(`watching ${runName} ended early`);
}

/** A task whose last output is the time at which it ends. */
export async function timedRun(
  installation: Installation,
  runName: string,
  configuration: Record<string, unknown> = {},
): Promise<RunTimes> {
  const id = await submit(installation, runName, {
    commands: ['echo hi', 'echo "up $(cut -d" " -f1 /proc/uptime)"'],
    ...configuration,
  });
  await finished(installation, runName);
  const at = await eventTimes(installation, id);
  const logs = await installation.ok('logs', runName);
  return {
    submitted: at(/^Run submitted/),
    running: at(/^Job status changed .* -> RUNNING/),
    done: at(/^Run status changed .* -> DONE/),
    exited: booted + Number(/up ([\d.]+)/.exec(logs)?.[1]) * 1_000_000,
  };
}

/** Microseconds of the first event of the run that matches; throws if there is none. */
export async function eventTimes(
  installation: Installation,
  runId: string,
): Promise<(pattern: RegExp) => number> {
  const events = await installation.api<Event[]>('/api/events/list', {
    within_runs: [runId],
    ascending: true,
  });
  return (pattern) => {
    const event = events.find(({ message }) => pattern.test(message));
    if (!event) throw new Error(`run ${runId}: no event ${pattern}`);
    return micros(event.recorded_at);
  };
}

/**
 * The boot time of the computer (µs): containers share its clock, which counts in hundredths of a
 * second.
 */
const booted =
  (performance.timeOrigin + performance.now()) * 1000 -
  Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1_000_000;

/** ISO 8601 with up to six digits of a second. */
export function micros(iso: string): number {
  const fraction = /\.(\d+)Z$/.exec(iso)?.[1] ?? '';
  const seconds = Date.parse(iso.replace(/\.\d+Z$/, 'Z')) / 1000;
  return seconds * 1_000_000 + Number(fraction.padEnd(6, '0'));
}
