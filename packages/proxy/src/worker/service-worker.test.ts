import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { CountedService } from '../counts/proxy-figures.ts';
import { away, linked } from '../testing/index.ts';
import { ServiceWorker } from './service-worker.ts';

const route = {
  ...{ runId: 'web', runName: 'web', projectName: 'main', auth: false, replicas: [] },
};

/** A worker that has answered one request. */
async function usedWorker(link: ReturnType<typeof linked>['link']) {
  const dir = mkdtempSync(join(tmpdir(), 'service-worker-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const worker = new ServiceWorker({
    link,
    spools: { uses: join(dir, 'uses'), counts: join(dir, 'counts') },
    ...{ addressOf: () => '1.2.3.4', maxAgeMs: () => 0, tokens: [], sharesRates: false },
    ...{ onHosts: () => {}, onServices: () => {}, trust: () => false, shared: false },
    ...{ timeoutMs: 1000, maxBody: 0, maxHeld: 1, now: () => Date.now() * 1000 },
    open: () => Promise.reject(new Error('no host')),
    log: { debug() {}, info() {}, warn() {}, error() {} } as never,
  });
  onTestFinished(() => worker.proxy.close());
  const request = { method: 'GET', headers: {}, rawHeaders: [], socket: {} };
  const admitted = { route, target: { project: 'main', run: 'web', prefix: '', rest: '/' } };
  const asked = { request: request as unknown as IncomingMessage, id: '1' };
  await worker.proxy.undelivered(admitted as never, asked, 'timed_out').catch(() => {});
  return worker;
}

it('a worker reports what it has counted before it is in sync with the process that leads it', async () => {
  const reported: string[][] = [];
  const { link, connect } = linked({
    figures: (changed: CountedService[]) => reported.push(changed.map(({ runId }) => runId)),
    synced: () => reported.push(['synced']),
    outage: () => null,
  });
  const worker = await usedWorker(link);
  const services = [{ runId: 'web', service: { route, served: null }, hosts: {} }];
  for (let time = 1; time <= 2; time++) {
    worker.take({ routes: services, grants: [] } as never);
    const server = connect();
    await link.ask('synced', {});
    expect(reported.splice(0)).toEqual([['web'], ['synced']]);
    await away(link, server);
  }
});
