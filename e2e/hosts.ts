import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { hostsMissing, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { configuration } from './installation.ts';
import { waitFor } from './until.ts';

/** Missing requirements of test hosts; on CI nothing may be missing. */
export function missingForHosts(): string | null {
  const missing = hostsMissing();
  if (missing && process.env.CI)
    throw new Error(`SSH fleets cannot be tested: ${missing} is missing`);
  if (missing) console.warn(`SSH fleets are NOT tested: ${missing} is missing`);
  return missing;
}

export const IMAGE = 'busybox:test';

/** The rest of a task that runs on this fleet: the default bounds are larger than a test host. */
export const onFleet = (fleet: string, image = IMAGE) =>
  `  cpu: 1..\n  memory: 1GB..\n  disk: 1GB..\nimage: ${image}\nfleets: [${fleet}]\n`;

export interface ShownInstance {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly unreachable: boolean;
  readonly health_status: string;
  readonly hostname: string | null;
  readonly termination_reason: string | null;
  readonly termination_reason_message: string | null;
}

export async function applySshFleet(
  home: Installation,
  machines: TestHosts,
  name: string,
  hosts: readonly TestHost[],
  blocks = 1,
  more = '',
): Promise<void> {
  const addresses = JSON.stringify(hosts.map(({ address }) => address));
  const yaml = `type: fleet\nname: ${name}\nssh_config:\n  user: root\n  identity_file: ${machines.keyPath}\n  hosts: ${addresses}\nblocks: ${blocks}\n${more}`;
  const file = configuration(home, `${name}.dstack.yml`, yaml);
  await home.ok('apply', '-f', file, '-y', '-d');
}

/**
 * Polls until all instances of the fleet satisfy the condition.
 */
export async function untilInstances(
  home: Installation,
  name: string,
  are: (instances: readonly ShownInstance[]) => boolean,
): Promise<readonly ShownInstance[]> {
  const instances = async () => {
    const path = '/api/project/main/fleets/get';
    return (await home.api<{ instances: ShownInstance[] }>(path, { name })).instances;
  };
  return await waitFor(instances, are, () => home.ok('fleet', 'get', name));
}

export const allIdle = (instances: readonly ShownInstance[]) =>
  instances.every(({ status, unreachable }) => status === 'idle' && !unreachable);

/** The events of the run and of all resources that took part in it, oldest first. */
export async function eventsOf(home: Installation, run: { readonly id: string }) {
  const events = await home.api<{ message: string }[]>('/api/events/list', {
    within_runs: [run.id],
    ascending: true,
  });
  return events.map(({ message }) => message);
}

export const sshConfig = (home: Installation) => join(home.home, '.dstack', 'ssh', 'config');

/**
 * For the end of each test on hosts: if it has failed, prints the state of everything. Ends its
 * runs, so that the next test finds free hosts.
 */
export async function afterFailure(
  test: { readonly result?: { readonly state: string } | undefined },
  home: Installation,
  hosts: readonly TestHost[],
): Promise<void> {
  if (test.result?.state !== 'fail') return;
  const words = [['ps', '-a', '-v'], ['fleet', '-v'], ['event']];
  const reports = await Promise.all(words.map(async (args) => (await home.dstack(args)).stdout));
  const look = 'tail -n 30 /var/lib/dstack/agent.log; docker ps -a; ps axf';
  // A host without Docker, or an unreachable one, prints less, or nothing.
  const silence = delay(5000, 'nothing', { ref: false });
  const seen = await Promise.all(
    hosts.map((host) => Promise.race([host.exec(look).catch(String), silence])),
  );
  console.error([...reports, ...seen].join('\n'));
  const runs = await home.api<{ run_spec: { run_name: string } }[]>('/api/runs/list', {
    only_active: true,
  });
  const runs_names = runs.map((run) => run.run_spec.run_name);
  await home.api('/api/project/main/runs/stop', { runs_names, abort: true });
}
