import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ServerAccess } from './server-access.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'access-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const socketAt = (path: string) => ({ path, folderMode: 0o755, mode: 0o666, owner: null });

describe('with a clock that stands still', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }));
  afterEach(() => vi.useRealTimers());

  it('announces so many connections at once, and others in their turn', async () => {
    const path = join(dir, 'server.sock');
    const announced: string[] = [];
    const access = await ServerAccess.open(socketAt(path), (id) => {
      announced.push(id);
      access.take(id)?.resume().end();
    });
    for (let made = 1; made <= 60; made++) {
      connect(path).resume().end();
      while (announced.length + access.waiting.length < made) await setImmediate();
    }
    expect(announced.length).toBe(50);
    vi.advanceTimersByTime(250);
    expect(announced.length).toBe(55);
    vi.advanceTimersByTime(250);
    expect(announced.length).toBe(60);
    await access.close();
  });
});

it('takes the place of what an agent has left, with the rights that the job needs', async () => {
  const path = join(dir, 'folder', 'server.sock');
  const first = await ServerAccess.open(socketAt(path), () => {});
  await first.close();
  expect(existsSync(path)).toBe(false);
  writeFileSync(path, 'left');
  const second = await ServerAccess.open(socketAt(path), () => {});
  expect([statSync(path).isSocket(), statSync(path).mode & 0o777]).toEqual([true, 0o666]);
  expect(statSync(join(dir, 'folder')).mode & 0o777).toBe(0o755);
  await second.close();
});
