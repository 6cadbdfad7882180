/** The program that makes hosts of namespaces, with a folder and a network for one set of hosts. */
import { execFile, execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openBed } from './beds.ts';
import { claimNetwork } from './test-networks.ts';

const execute = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('../hosts/make-test-hosts.sh', import.meta.url));

export interface HostScript {
  /** The folder for files of the test. */
  readonly dir: string;
  /** The folder of the hosts. */
  readonly base: string;
  /** The first three numbers of their addresses; this computer is `.1`. */
  readonly network: string;
  /** Runs a command and returns its output. `env`: variables of this command only. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>;
  runSync(...args: string[]): void;
  /** Ends all hosts and removes their files, links and addresses. */
  close(): void;
}

/** `settings`: variables of the program. */
export function openHostScript(settings: Readonly<Record<string, string>>): HostScript {
  const { network, release } = claimNetwork();
  const { dir, env } = openBed({
    at: join(tmpdir(), 'test-hosts-'),
    script: SCRIPT,
    settings: (folder) => ({
      ...settings,
      ...{ BASE: join(folder, 'base'), NET: network },
      // Names of links have at most 15 characters.
      PREFIX: `t${process.pid.toString(36)}${folder.slice(-2).toLowerCase()}`,
    }),
  });
  const base = join(dir, 'base');
  const runSync = (...args: string[]) => void execFileSync(SCRIPT, args, { env, stdio: 'pipe' });
  return {
    ...{ dir, base, network, runSync },
    run: async (args, own = {}) =>
      (await execute(SCRIPT, args, { env: { ...env, ...own } })).stdout,
    close() {
      runSync('down');
      release();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
