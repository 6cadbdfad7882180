/** The API of the cluster fails in every way, and the server is killed, while runs and a gang start and end. */
import type { ApiFault, ApiRequest } from '@dstack/testkit/kubernetes-proxy';
import { expect, it } from 'vitest';
import { countedTo, linesIn } from '../counting.ts';
import { isFinished, untilRun } from '../installation.ts';
import { until } from '../until.ts';
import { gang, message, task, untilPods, untilRunning, type World } from './world.ts';

/** In turn, so that each kind meets watches and calls early and late in the life of a pod. */
function everyKindOfFault(): (request: ApiRequest) => ApiFault | null {
  let [calls, watches] = [0, 0];
  return ({ isWatch }) => {
    if (isWatch) return ++watches % 2 === 0 ? { watchError: 410 } : null;
    const kind = ++calls % 13;
    if (kind === 1) return { answer: 409, reason: 'Conflict' };
    if (kind === 2) return { answer: 429, reason: 'TooManyRequests', retryAfterSeconds: 1 };
    if (kind === 5) return { delayMs: 300 };
    if (kind === 8) return { cut: 'request' };
    return kind === 11 ? { cut: 'answer' } : null;
  };
}

export function faultCases(world: () => World): void {
  it('lose no line, and leave nothing, while the API fails and servers are killed', async () => {
    const { cluster, home, proxy } = world();
    proxy.fault = everyKindOfFault();
    const names = ['f1', 'f2', 'f3'];
    const count = 'i=0; while [ $i -lt 150 ]; do i=$((i+1)); echo "line $i"; sleep 0.1; done';
    for (const name of names) await task(home, name, [count]);
    await gang(home, 'f4', 2, [count]);
    for (const name of [...names, 'f4']) await untilRunning(home, name);
    proxy.cutAll();
    await cluster.killApiServer();
    await cluster.setNodeLink(1, 'down');
    await home.stopServer('SIGKILL');
    await cluster.setNodeLink(1, 'up');
    await home.startServer();
    proxy.cutAll();
    for (const name of [...names, 'f4']) {
      const ended = await untilRun(home, name, isFinished);
      expect([ended.status, message(ended)]).toEqual(['done', expect.anything()]);
      for (const job of name === 'f4' ? ['0', '1'] : ['0']) {
        const lines = linesIn(await home.ok('logs', name, '--job', job));
        expect([name, job, lines]).toEqual([name, job, countedTo(150)]);
      }
    }
    await untilPods(cluster, (left) => left.length === 0);
    const left = () => cluster.kubectl('get', 'secrets,services', '-o', 'name');
    await until(async () => (await left()) === 'service/kubernetes\n');
    proxy.fault = () => null;
    expect([...proxy.counts.keys()].sort()).toEqual([
      'answer 409',
      'answer 429',
      'cut answer',
      'cut request',
      'delayMs 300',
      'watchError 410',
    ]);
  });
}
