/** A simulated cloud whose machines are agents of this product, on the machine of the server. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type SimControl, simControl } from '@dstack/backends/sim';
import type { Installation } from '@dstack/testkit';
import type { ShownInstance } from './hosts.ts';
import { configuration, newInstallation } from './installation.ts';

export interface SimCloud {
  readonly home: Installation;
  readonly control: SimControl;
}

/** Shown as `aws`; the server host itself is not capacity. */
export function newSimCloud(knobs: readonly string[] = [], env: NodeJS.ProcessEnv = {}): SimCloud {
  const home = newInstallation({ DSTACK_SIM: '1', DSTACK_LOCAL_PROJECTS: 'none', ...env });
  const dir = join(home.home, 'cloud');
  const backend = ['type: sim', 'as: aws', 'agent: real', `dir: ${dir}`, ...knobs];
  mkdirSync(home.serverDir, { recursive: true });
  const yaml = `projects:\n- name: main\n  backends:\n  - {${backend.join(', ')}}\n`;
  writeFileSync(join(home.serverDir, 'config.yml'), yaml, { mode: 0o600 });
  return { home, control: simControl(dir) };
}

export async function applyCloudFleet(home: Installation, lines: readonly string[]): Promise<void> {
  const yaml = ['type: fleet', 'name: pool', ...lines].join('\n');
  const file = configuration(home, 'pool.dstack.yml', yaml);
  await home.ok('apply', '-f', file, '-y', '-d');
}

export async function instancesOf(home: Installation): Promise<readonly ShownInstance[]> {
  const { instances } = await home.api<{ instances: ShownInstance[] }>(
    '/api/project/main/fleets/get',
    { name: 'pool' },
  );
  return instances;
}

export const statusOf = async (home: Installation) => (await instancesOf(home))[0]?.status;

/** A job that ends when its file appears. */
export function waitsFor({ home }: Installation, name: string) {
  const path = join(home, `end-of-${name}`);
  return {
    commands: ['echo begin', `while [ ! -e ${path} ]; do sleep 0.05; done`, 'echo end'],
    end: () => writeFileSync(path, ''),
  };
}

/** Ids of machines that were ordered more than once, or were never released. */
export function leftOver(history: readonly string[]): string[] {
  return [...new Set(history.map((line) => line.slice(1)))].filter((id) => {
    const lines = history.filter((line) => line.slice(1) === id);
    return lines.join() !== `+${id},-${id}`;
  });
}

/** Processes that belong to machines, by their arguments. */
export function processesOfInstance({ home }: SimCloud): string[] {
  const agents = join(home.home, 'cloud', 'agents');
  return home.processes().flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return command.includes(agents) ? [command.replaceAll('\0', ' ')] : [];
    } catch {
      // The process has just ended.
      return [];
    }
  });
}
