import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { KeptCounts } from './kept-counts.ts';

it('sends the requests that a full disk does not take, so that services still start and scale', async () => {
  const root = mkdtempSync(join(tmpdir(), 'kept-counts-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const dir = join(root, 'counts');
  const asked: [string, unknown][] = [];
  const warnings: string[] = [];
  const ask = async (type: string, data: unknown) => asked.push([type, data]);
  const log = { warn: (_: object, text: string) => warnings.push(text) };
  const counts = new KeptCounts({
    ...{ dir, now: () => 10_000 },
    link: { ask, isAlone: false } as never,
    log: log as never,
  });
  const second = { runId: 'busy', second: 7, requests: 40 };
  const first = { runId: 'asleep', second: 7, requests: 1 };
  // Nothing can be written below a file.
  rmSync(dir, { recursive: true });
  writeFileSync(dir, '');
  await counts.add([second, first], ['asleep']);
  expect(asked).toEqual([['count', { counts: [second, { ...first, wakes: true }] }]]);
  await counts.add([second], []);
  expect([asked.length, warnings.length]).toEqual([2, 1]);
  rmSync(dir);
  mkdirSync(dir);
  await counts.add([first], ['asleep']);
  expect(readdirSync(dir)).toHaveLength(1);
  expect(asked.at(-1)?.[0]).toBe('deliver');
});
