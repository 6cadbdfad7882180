/** Beds: what the programs of this package make of namespaces for a suite, such as hosts or a cluster. */
import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

export interface Bed {
  /** The folder for files of the test. */
  readonly dir: string;
  /** The variables with which the program runs. */
  readonly env: NodeJS.ProcessEnv;
}

export interface BedOptions {
  /** How the path of the folder begins; the same for all beds of a kind. */
  readonly at: string;
  /** The program; `down` ends the bed that its variables name. */
  readonly script: string;
  readonly settings: (dir: string) => Readonly<Record<string, string>>;
}

interface Owner {
  readonly pid: number;
  /** Distinguishes processes with the same id. */
  readonly started: string;
  readonly settings: Readonly<Record<string, string>>;
}

const OWNER = 'owner.json';
const DOWN_MS = 60_000;

/** Opens a bed of this process; beds of the same kind whose process was killed are ended first. */
export function openBed({ at, script, settings: settingsOf }: BedOptions): Bed {
  endLeftovers(at, script);
  const dir = mkdtempSync(at);
  const settings = settingsOf(dir);
  const owner: Owner = { pid: process.pid, started: startOf(process.pid) ?? '', settings };
  writeFileSync(join(dir, OWNER), JSON.stringify(owner));
  return { dir, env: { ...process.env, ...settings } };
}

function endLeftovers(at: string, script: string): void {
  const parent = dirname(at);
  for (const name of readdirSync(parent).filter((it) => it.startsWith(basename(at)))) {
    const dir = join(parent, name);
    const owner = isOwn(dir) ? takeFromTheDead(join(dir, OWNER)) : null;
    if (owner === null) continue;
    try {
      const env = { ...process.env, ...owner.settings };
      execFileSync(script, ['down'], { env, stdio: 'pipe', timeout: DOWN_MS });
      rmSync(dir, { recursive: true, force: true });
    } catch {
      // The program of the new bed names what it cannot have because of this one.
    }
  }
}

/** Whether this user has made it: what another one has written there would be carried out with this one's rights. */
function isOwn(dir: string): boolean {
  const stat = lstatSync(dir, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.uid === process.getuid?.();
}

/** The owner in a file, if its process has ended, and no other process takes it at the same time. */
function takeFromTheDead(path: string): Owner | null {
  try {
    const owner: Owner = JSON.parse(readFileSync(path, 'utf8'));
    if (startOf(owner.pid) === owner.started) return null;
    renameSync(path, `${path}.taken`);
    return owner;
  } catch {
    // It is being made, or removed.
    return null;
  }
}

/** When a process started, in ticks since the boot (proc(5), field 22); null if it has ended. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
