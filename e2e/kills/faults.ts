import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import type { TestHost } from '@dstack/testkit/hosts';
import type { Random } from '@dstack/testkit/random';
import type { World } from './world.ts';

/** Kills processes and cuts links until `stop` is aborted; returns the number of faults. */
export async function faults(world: World, random: Random, stop: AbortSignal): Promise<number> {
  const { home, testHosts } = world;
  const deeds: (() => Promise<void>)[] = [
    async () => {
      await home.stopServer('SIGKILL');
      await delay(random.whole(0, 1500));
      await home.startServer();
    },
    async () => killOwnAgent(home),
    ...testHosts.hosts.flatMap((host) => [() => killAgent(host), () => cut(host, random)]),
  ];
  let count = 0;
  for (; !stop.aborted; count++) {
    await delay(random.whole(200, 3000));
    await random.pick(deeds)?.();
  }
  return count;
}

function killOwnAgent(home: Installation): void {
  for (const pid of home.processes()) {
    if (commandOf(pid).includes('agent/main.js')) process.kill(pid, 'SIGKILL');
  }
}

async function killAgent(host: TestHost): Promise<void> {
  await host.exec("pkill -9 -f '^/opt/[^ ]*/bin/node .*/main.js' || true");
}

async function cut(host: TestHost, random: Random): Promise<void> {
  host.cut();
  await delay(random.whole(100, 5000));
  host.restore();
}

export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // It has just ended.
    return '';
  }
}
