import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ServerAccess } from './server-access.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'access-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const socketAt = (path: string) => ({ path, folderMode: 0o755, mode: 0o666, owner: null });

it('tells of so many connections at once, and of others in their turn', async () => {
  const told: string[] = [];
  const path = join(dir, 'server.sock');
  const access = await ServerAccess.open(socketAt(path), (id) => {
    told.push(id);
    access.take(id)?.resume().end();
  });
  const made = 80;
  const before = told.length;
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let n = 0; n < made / 4; n++) {
        const socket = connect(path);
        await once(socket, 'connect');
        socket.end();
      }
    }),
  );
  expect(told.length - before).toBeLessThan(made);
  await vi.waitFor(() => expect(told.length).toBeGreaterThan(55), { timeout: 10_000 });
  await access.close();
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
