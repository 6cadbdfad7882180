/** Has a running nginx take over the configuration that is in its file, and finds out whether it did. */
import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { childrenOf } from './port-holders.ts';

/** The beginning of a line by nginx itself; what clients send is further to the right. */
const EMERGENCY = /^[\d/]+ [\d:]+ \[emerg\] \d+#\d+: /;
/** Refusals of addresses, which nginx tries again for 2.5 seconds; then it gives up, and reports that. */
const BIND = 'bind() to ';
const GIVES_UP = 'still could not bind()';

/** Each look reads something of all processes of the host. */
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 200;
/** A busy host takes its time. */
const PATIENCE_MS = 15_000;

export interface NginxReload {
  /** Its master process. */
  readonly pid: number;
  readonly errorLog: string;
}

/** The processes of a master process that take new connections: one that leaves has another title. */
export function workersOf(master: number): number[] {
  return childrenOf(master, 'nginx: worker process\0');
}

/** Returns why nginx goes on with the configuration before, as nginx reports it; null = it has the new one. */
export async function reloadNginx({ pid, errorLog }: NginxReload): Promise<string | null> {
  const serving = () => workersOf(pid);
  const end = performance.now() + PATIENCE_MS;
  let pause = FIRST_PAUSE_MS;
  const wait = async () => {
    if (!existsSync(`/proc/${pid}`)) throw new Error('nginx has ended');
    if (performance.now() > end) throw new Error('nginx does not take over its configuration');
    await delay(pause);
    pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS);
  };
  let before = serving();
  // Just started: its processes must not be taken for those with the new configuration.
  for (; before.length === 0; before = serving()) await wait();
  const from = sizeOf(errorLog);
  process.kill(pid, 'SIGHUP');
  for (;;) {
    const now = serving();
    if (now.length > 0 && !now.some((one) => before.includes(one))) return null;
    const refusal = refusalIn(textFrom(errorLog, from));
    if (refusal !== null) return refusal;
    await wait();
  }
}

function refusalIn(text: string): string | null {
  const problems = text
    .split('\n')
    .filter((line) => EMERGENCY.test(line))
    .map((line) => line.replace(EMERGENCY, ''));
  const isFinal = problems.some((problem) => !problem.startsWith(BIND));
  const first = problems.find((problem) => !problem.startsWith(GIVES_UP));
  return isFinal ? (first ?? null) : null;
}

/** 0 if it was removed: nginx begins another one when it takes over a configuration. */
const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** What was written since it had this size; it may have been emptied meanwhile. At most 64 KiB. */
function textFrom(path: string, from: number): string {
  if (!existsSync(path)) return '';
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const buffer = Buffer.alloc(65_536);
    const length = readSync(file, buffer, 0, buffer.length, size < from ? 0 : from);
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(file);
  }
}
