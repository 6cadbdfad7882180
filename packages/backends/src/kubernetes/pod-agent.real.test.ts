import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AGENT_ROOT, DELIVERY } from './pod-agent.ts';

let folder: string;
let root: string;
let parts: Readonly<Record<'libraries' | 'agent' | 'node', Buffer>>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'delivery-'));
  root = join(folder, 'pod');
  mkdirSync(root);
  const packed = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return gzipSync(execFileSync('tar', ['-C', folder, '-cf', '-', name]));
  };
  // Longer than a pipe holds, so that a copy with half of it is still writing.
  const program = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) % 251));
  parts = {
    libraries: packed('ld-linux-x86-64.so.2', 'loader'),
    agent: packed('main.js', 'agent'),
    node: gzipSync(program, { level: 0 }),
  };
});
afterEach(() => rmSync(folder, { recursive: true }));

function begin(part: keyof typeof parts): ChildProcess {
  const step = DELIVERY.find((one) => one.part === part);
  const script = step?.script(parts[part].length).replaceAll(AGENT_ROOT, root) ?? '';
  return spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'inherit', 'inherit'] });
}

async function deliver(): Promise<void> {
  await Promise.all(
    DELIVERY.map(async ({ part }) => {
      const copy = begin(part);
      copy.stdin?.end(parts[part]);
      expect(await once(copy, 'exit')).toEqual([0, null]);
    }),
  );
}

it('the agent is ready when its last part has arrived, whichever that is', async () => {
  const [first, second, last] = DELIVERY.map(({ part }) => part).toReversed();
  for (const part of [first, second, last]) {
    if (part === undefined) throw new Error('the copy has three parts');
    expect(readdirSync(root)).not.toContain('ready');
    const copy = begin(part);
    copy.stdin?.end(parts[part]);
    expect(await once(copy, 'exit')).toEqual([0, null]);
  }
  expect(readdirSync(root).sort()).toEqual(['agent', 'lib', 'node', 'ready']);
});

it.each(DELIVERY.map(({ part }) => part))(
  'two servers copy the agent into one pod at once, and neither breaks the other (%s)',
  async (part) => {
    const late = begin(part);
    const half = parts[part].length / 2;
    late.stdin?.write(parts[part].subarray(0, half));
    while (!readdirSync(root).some((name) => name.includes('.'))) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await deliver();
    const isComplete = () => {
      expect(gzipSync(readFileSync(join(root, 'node')), { level: 0 })).toEqual(parts.node);
      expect(readFileSync(join(root, 'lib', 'ld.so'), 'utf8')).toBe('loader');
      expect(readFileSync(join(root, 'agent', 'main.js'), 'utf8')).toBe('agent');
    };
    isComplete();
    late.stdin?.end(parts[part].subarray(half));
    expect(await once(late, 'exit')).toEqual([0, null]);
    isComplete();
    expect(readdirSync(root).sort()).toEqual(['agent', 'lib', 'node', 'ready']);
  },
);
