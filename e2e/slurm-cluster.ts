/** Installations whose jobs run on a real Slurm cluster. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { slurmMissing, type TestCluster } from '@dstack/testkit/slurm';
import { configuration } from './installation.ts';

/** Null: the tests run. On CI they must. */
export function slurmSkipped(): string | null {
  const missing = slurmMissing();
  if (missing && process.env.CI) throw new Error(`Slurm cannot be tested: ${missing} is missing`);
  if (missing) console.warn(`Slurm is NOT tested: ${missing} is missing`);
  return missing;
}

/** Jobs run on the cluster alone. */
export const SLURM_SERVER = { DSTACK_LOCAL_PROJECTS: 'none' };

export function writeSlurmConfig({ serverDir }: Installation, cluster: TestCluster): void {
  const { hostname, user, keyPath } = cluster;
  const entry = `{name: hpc, hostname: ${hostname}, user: ${user}, private_key: {path: ${keyPath}}, cpu_partitions: [cpu, low]}`;
  mkdirSync(serverDir, { recursive: true });
  writeFileSync(
    join(serverDir, 'config.yml'),
    `projects:\n- name: main\n  backends:\n  - {type: slurm, clusters: [${entry}]}\n`,
    { mode: 0o600 },
  );
}

/** `hpc` for jobs of one node, `gangs` for those of several. */
export async function applySlurmFleets(home: Installation): Promise<void> {
  for (const [name, placement] of [
    ['hpc', 'any'],
    ['gangs', 'cluster'],
  ] as const) {
    const yaml = `type: fleet\nname: ${name}\nnodes: 0..6\nplacement: ${placement}\nbackends: [slurm]\n`;
    await home.ok('apply', '-f', configuration(home, `${name}.dstack.yml`, yaml), '-y');
  }
}

const SMALL = 'resources: {cpu: 1.., memory: 512MB.., disk: null}';

/** Writes a configuration; returns the name of its file. */
export function slurmRun(
  home: Installation,
  name: string,
  lines: readonly string[],
  fleet = 'hpc',
): string {
  const all = [`name: ${name}`, `fleets: [${fleet}]`, SMALL, ...lines, ''];
  return configuration(home, `${name}.dstack.yml`, all.join('\n'));
}

export function slurmTask(
  home: Installation,
  name: string,
  commands: readonly string[],
  more: readonly string[] = [],
  fleet?: string,
): string {
  const lines = ['type: task', 'image: busybox:1', `commands: ${JSON.stringify(commands)}`];
  return slurmRun(home, name, [...lines, ...more], fleet);
}

export const jobsInQueue = async (cluster: TestCluster) =>
  (await cluster.login('squeue -h -o "%j %P %N"')).trim();

/** Folders of jobs and of their credentials; empty once all have ended. */
export const foldersOfJobs = (cluster: TestCluster) =>
  cluster.login('ls ~/.dstack/jobs; ls ~/.dstack/credentials 2>/dev/null || true');

/**
 * Ends and undoes what a failed test has left: its agents wait for their server, and would hold the nodes
 * of the next test. Nothing of a test that passed is left.
 */
export async function clearCluster(cluster: TestCluster): Promise<void> {
  await cluster.control('reset');
  await cluster.login('rm -rf ~/.dstack/jobs/* ~/.dstack/credentials');
}
