import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FileLogStore } from './file-log-store.ts';

const WRITER = fileURLToPath(new URL('../testdata/append-until-killed.ts', import.meta.url));
const REF = { project: 'p', run: 'r', jobId: '7971ea15-4056-4bef-8833-c93e0e7d5128' };
const ALL = { startTime: null, endTime: null, descending: false, limit: 1000 };

let root: string;
let child: ChildProcess | null = null;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'logs-'));
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await rm(root, { recursive: true, force: true });
});

function openStore(): FileLogStore {
  return new FileLogStore({
    root,
    now: () => 0,
    quotaPerHour: 0,
    onQuota: () => {},
    onSyncError: (_, error) => {
      throw error;
    },
    segmentBytes: 64 * 1024,
  });
}

/** Kills the writer after `acks` acknowledgements; returns where it started and the last one. */
async function writeAndKill(acks: number): Promise<{ start: number; acknowledged: number }> {
  child = spawn(process.execPath, [WRITER, root, String(acks)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  let [start, acknowledged, count] = [-1, 0, 0];
  for await (const text of createInterface({ input: child.stdout! })) {
    const [word, number] = text.split(' ');
    if (word === 'start') start = acknowledged = Number(number);
    else acknowledged = Number(number);
    // Output before its death counts as well.
    if (word === 'ack' && ++count === acks) child.kill('SIGKILL');
  }
  await closed;
  return { start, acknowledged };
}

it('loses nothing acknowledged and stores nothing twice in 20 kills', async () => {
  let last = 0;
  for (let round = 0; round < 20; round++) {
    const { start, acknowledged } = await writeAndKill(3 + round * 2);
    expect(start).toBeGreaterThanOrEqual(last);
    const store = openStore();
    expect(await store.length(REF)).toBeGreaterThanOrEqual(acknowledged);
    await store.close();
    last = acknowledged;
  }
  const store = openStore();
  await store.end(REF);
  const texts: string[] = [];
  let nextToken: string | null = null;
  do {
    const page: Awaited<ReturnType<FileLogStore['poll']>> = await store.poll(REF, {
      ...ALL,
      nextToken,
    });
    texts.push(...page.events.map((event) => event.text));
    nextToken = page.nextToken;
  } while (nextToken !== null);
  await store.close();
  // The next writer completed lines cut by a kill; only the very last may be unfinished.
  const lines = texts.join('').split('\n');
  lines.pop();
  expect(lines.length).toBeGreaterThan(100);
  for (const [n, text] of lines.entries()) expect(text).toBe(`line ${n} ${'.'.repeat(n % 90)}`);
}, 120_000);

/** Whether this computer allows mounting a small file system. */
function canMount(): boolean {
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

it.skipIf(!canMount())('reports a full disk and continues once there is room', async () => {
  const script = fileURLToPath(new URL('../testdata/fill-disk.ts', import.meta.url));
  const shell = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" "$3" "$1"';
  const command = ['-m', 'sh', '-c', shell, 'sh', root, process.execPath, script];
  const result = JSON.parse(execFileSync('unshare', command, { encoding: 'utf8' }));
  expect(result).toEqual({ code: 'disk_full', before: true, after: 'intact', more: true });
});
