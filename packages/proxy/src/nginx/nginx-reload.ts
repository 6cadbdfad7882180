/** Has a running nginx take over the configuration that is in its file, and finds out whether it did. */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { processesWith } from './port-holders.ts';

/** Refusals of addresses, which nginx tries again for 2.5 seconds; then it gives up, and reports that. */
const BIND = 'bind() to ';
const GIVES_UP = 'still could not bind()';

const LOOK_MS = 20;
/** A busy host takes its time. */
const PATIENCE_MS = 15_000;

export interface NginxReload {
  /** Its master process. */
  readonly pid: number;
  readonly errorLog: string;
}

/** Returns why nginx goes on with the configuration before, as nginx reports it; null = it has the new one. */
export async function reloadNginx({ pid, errorLog }: NginxReload): Promise<string | null> {
  // One that leaves has another title.
  const serving = () => processesWith(errorLog, 'nginx: worker process\0');
  const end = performance.now() + PATIENCE_MS;
  const wait = async () => {
    if (!existsSync(`/proc/${pid}`)) throw new Error('nginx has ended');
    if (performance.now() > end) throw new Error('nginx does not take over its configuration');
    await delay(LOOK_MS);
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
  const lines = text.split('\n').filter((line) => line.includes('[emerg]'));
  const isFinal = lines.some((line) => !line.includes(BIND));
  const line = lines.find((one) => !one.includes(GIVES_UP));
  return isFinal && line !== undefined ? line.replace(/^.*\[emerg\] \d+#\d+: /, '') : null;
}

function sizeOf(path: string): number {
  const file = openSync(path, 'r');
  try {
    return fstatSync(file).size;
  } finally {
    closeSync(file);
  }
}

/** What was written since it had this size; it may have been emptied meanwhile. At most 64 KiB. */
function textFrom(path: string, from: number): string {
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
