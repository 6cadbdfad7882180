import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertInstances, serveAt, submitService } from '../http/testing/services.ts';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';
import { LivenessProber } from './liveness.ts';

let server: TestServer;
let app: Server;
let status = 200;
let asked = 0;
beforeAll(async () => {
  server = await startTestServer();
  app = createServer((_request, response) => {
    asked += 1;
    response.writeHead(status).end();
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
});
afterAll(async () => {
  app.close();
  await server.close();
});

describe('a liveness probe', () => {
  it('signals the run when it has failed too often, and ends with its job', async () => {
    const { port } = app.address() as AddressInfo;
    const liveness = { url: '/well', interval: '1s', failures: 2, start_period: 0 };
    const { id } = await submitService(server, 'alive', { probes: [], liveness });
    const [job] = await serveAt(server, id, [port], await insertInstances(server, 1));
    if (!job) throw new Error('no job');
    expect(job.spec.liveness).toMatchObject({ url: '/well', method: 'get', failures: 2 });
    const spec = { ...job.spec, liveness: { ...job.spec.liveness, interval: 0 } } as never;
    const change = { type: 'job.update', id: job.id, version: job.version, set: { spec } } as const;
    await server.store.engine.apply([change]);
    const prober = new LivenessProber({
      store: server.store,
      now: () => performance.now() * 1000,
      newId: () => crypto.randomUUID(),
      log: server.deps.log,
      client: () => ({
        openPort: async () => {
          const socket = connect(port, '127.0.0.1');
          await once(socket, 'connect');
          return { stream: socket, ownAddress: null };
        },
      }),
    });
    const signalled = new Promise<string>((resolve) => {
      server.store.engine.onSignal((signal) => resolve(signal.id));
    });
    prober.onJobState('local', { id: job.id, phase: 'running' });
    while (asked < 3) await new Promise((resolve) => setImmediate(resolve));
    const failures = async () =>
      (await server.store.engine.loadRun(id, { overQuota: new Map() }))?.livenessFailures;
    expect(await failures()).toEqual({});
    status = 500;
    expect(await signalled).toBe(id);
    expect((await failures())?.[job.id]).toBeGreaterThanOrEqual(2);
    prober.onJobState('local', { id: job.id, phase: 'exited' });
    const seen = asked;
    for (let n = 0; n < 50; n++) await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toBeLessThanOrEqual(seen + 1);
    prober.close();
  });
});
