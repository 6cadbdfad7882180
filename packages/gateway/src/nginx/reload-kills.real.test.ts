/** Kills of processes of nginx while its configuration changes, under load. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { findNginx, luaModules } from '@dstack/proxy';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { PlainWorld } from './testing/plain-world.ts';

const SOON = { timeout: 10_000, interval: 100 };

const isSupported = findNginx() !== null && luaModules(findNginx() ?? '') !== null;

describe.skipIf(!isSupported)('nginx whose configuration changes', () => {
  let world: PlainWorld;

  beforeAll(async () => {
    world = await new PlainWorld().start();
  });
  afterEach(() => vi.restoreAllMocks());
  afterAll(async () => {
    await world?.stop();
  });

  const master = () => Number(readFileSync(`${world.runtime}/nginx.pid`, 'utf8'));
  const workers = () =>
    execFileSync('ps', ['-o', 'pid=', '--ppid', String(master())])
      .toString()
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0);

  it.each([
    ['one of its processes', () => workers()[0] ?? 0],
    ['its master process', () => master()],
  ])('fails only what a killed one was answering: %s', async (_which, victim) => {
    world.serve('changed.apps.test', [await world.app('changed')]);
    await world.untilPlain('changed.apps.test');
    for (const maxBody of [1_000_000, 2_000_000, 0]) {
      const load = world.load('changed.apps.test', { headers: { connection: 'close' } });
      await load.more(50);
      const kill = killAfterReload(victim);
      await world.ensure({ maxBody });
      expect(kill).toHaveBeenCalledWith(expect.any(Number), 'SIGHUP');
      kill.mockRestore();
      await load.more(200);
      const { failed } = await load.end();
      // As many as there are loops.
      expect(failed.length).toBeLessThanOrEqual(4);
      expect(failed.every((one) => /ECONNRESET|socket hang up/.test(String(one)))).toBe(true);
      await expect.poll(() => workers().length, SOON).toBe(2);
    }
    await world.untilPlain('changed.apps.test');
  });
});

/** At once after nginx was asked to take over its configuration. */
function killAfterReload(victim: () => number) {
  const real = process.kill.bind(process);
  return vi.spyOn(process, 'kill').mockImplementation((pid, signal) => {
    const victimPid = signal === 'SIGHUP' ? victim() : null;
    real(pid, signal);
    if (victimPid !== null) real(victimPid, 'SIGKILL');
    return true;
  });
}
