import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { jobNode, jobProgram } from '@dstack/testkit/job-programs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { applyFleet, configuration, newInstallation, type ShownRun } from './installation.ts';
import { until, waitFor } from './until.ts';

const app = jobProgram(join(import.meta.dirname, 'service-app.ts'));

let home: Installation;
beforeAll(async () => {
  home = newInstallation({ DSTACK_SERVER_OUTGOING_ALLOW: 'loopback' });
  await home.startServer();
  await applyFleet(home, '0..6');
  await apply('web', 'model: parrot\nreplicas: 1\n');
  await untilReady('web', 1);
});
afterAll(() => home?.dispose());

interface ServiceRun extends ShownRun {
  readonly jobs: readonly {
    readonly job_submissions: readonly {
      readonly id: string;
      readonly status: string;
      readonly submission_num: number;
      readonly exit_status: number | null;
      readonly deployment_num: number;
      readonly probes: readonly { readonly success_streak: number }[];
    }[];
  }[];
}

async function apply(
  name: string,
  more: string,
  command = `exec ${app}`,
  resources = '{gpu: 0}',
): Promise<void> {
  const yaml = [
    'type: service',
    `name: ${name}`,
    'port: 8000',
    `commands: ['${command}']`,
    `resources: ${resources}`,
    more,
  ].join('\n');
  const file = configuration(home, `${name}.dstack.yml`, yaml);
  await home.ok('apply', '-f', file, '-y', '-d');
}

const show = (name: string) =>
  home.api<ServiceRun>('/api/project/main/runs/get', { run_name: name });

const latest = (run: ServiceRun) => run.jobs.map((job) => job.job_submissions.at(-1));
const alive = (run: ServiceRun) => latest(run).filter((one) => one?.status === 'running');

async function untilShown(name: string, is: (run: ServiceRun) => boolean): Promise<ServiceRun> {
  return await waitFor(
    () => show(name),
    is,
    () => home.ok('explain', name, '-v'),
  );
}

const get = (path: string, init: RequestInit = {}) =>
  fetch(`${home.url}/proxy/services/main/${path}`, {
    ...init,
    headers: { authorization: `Bearer ${home.token()}`, ...init.headers },
  });

interface Seen {
  readonly job: string;
  readonly version: string;
  readonly pid: number;
  readonly url: string;
  readonly body: string;
}
const see = async (answer: Response) => (await answer.json()) as Seen;

/** Sends requests until this many replicas have answered. */
async function untilReady(name: string, replicas: number): Promise<Map<string, Seen>> {
  const seen = new Map<string, Seen>();
  while (seen.size < replicas) {
    const answer = await get(`${name}/`);
    if (answer.status !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
    else {
      const one = await see(answer);
      seen.set(one.job, one);
    }
  }
  return seen;
}

describe('a service', () => {
  it('prints its address and its model when it is applied', async () => {
    const yaml = `type: service\nname: parrots\nport: 8000\nmodel: parrot\nresources: {gpu: 0}\ncommands: ['exec ${app}']\n`;
    const file = configuration(home, 'parrots.dstack.yml', yaml);
    const applying = home.spawn(['apply', '-f', file, '-y']);
    let printed = '';
    for await (const part of applying.stderr ?? []) {
      printed += part;
      if (printed.includes('/v1')) break;
    }
    expect(printed).toContain(
      `Service is published at:\n  ${home.url}/proxy/services/main/parrots/\nModel parrot is published at:\n  ${home.url}/proxy/services/main/parrots/v1\n`,
    );
    await home.ok('stop', 'parrots', '-y');
    if (applying.exitCode === null) await once(applying, 'exit');
  });

  it('answers members of its project through the server', async () => {
    const posted = await get('web/a%2Fb?c=d', { method: 'POST', body: 'hello' });
    expect(await see(posted)).toMatchObject({ url: '/a%2Fb?c=d', body: 'hello' });
    expect((await get('web/', { headers: { authorization: '' } })).status).toBe(403);
    expect((await get('nosuch/')).status).toBe(404);
  });

  it('streams in both directions', async () => {
    const size = 64 * 1024 * 1024;
    const uploaded = await get('web/upload', { method: 'POST', body: Buffer.alloc(size) });
    expect(await uploaded.text()).toBe(String(size));
    const parts: string[] = [];
    const events = (await get('web/events')).body?.pipeThrough(new TextDecoderStream());
    for await (const part of events ?? []) parts.push(part);
    expect(parts).toEqual(['data: 0\n\n', 'data: 1\n\n', 'data: 2\n\n']);
  });

  it('supports WebSocket', async () => {
    const address = `${home.url.replace('http', 'ws')}/proxy/services/main/web/`;
    const headers = { authorization: `Bearer ${home.token()}` };
    const socket = new WebSocket(address, { headers });
    await once(socket, 'open');
    socket.send('hello');
    const [data] = await once(socket, 'message');
    expect(String(data)).toBe('hello');
    socket.close();
    await once(socket, 'close');
  });

  it('serves its model under the address of the project', async () => {
    const models = `${home.url}/proxy/models/main`;
    const headers = { authorization: `Bearer ${home.token()}` };
    const list = await (await fetch(`${models}/models`, { headers })).json();
    expect(list).toMatchObject({ object: 'list', data: [{ id: 'parrot', owned_by: 'main' }] });
    const chat = (stream: boolean, model = 'parrot') =>
      fetch(`${models}/chat/completions`, {
        method: 'POST',
        headers,
        body: JSON.stringify({
          model,
          stream,
          messages: [{ role: 'user', content: 'how are you' }],
        }),
      });
    expect(await (await chat(false)).json()).toMatchObject({
      choices: [{ message: { content: 'HOW ARE YOU' } }],
    });
    const streamed = await (await chat(true)).text();
    const words = [...streamed.matchAll(/"content":"(\w+)"/g)].map((match) => match[1]);
    expect(words).toEqual(['HOW', 'ARE', 'YOU']);
    expect(streamed.endsWith('data: [DONE]\n\n')).toBe(true);
    const unknown = await chat(false, 'cat');
    expect([unknown.status, await unknown.json()]).toMatchObject([
      404,
      { detail: 'Model cat not found in project main', error: { code: 'model_not_found' } },
    ]);
  });

  it('shows the successes of its probes', async () => {
    const [submission] = latest(await show('web'));
    expect(submission?.probes[0]?.success_streak).toBeGreaterThan(0);
    expect(await home.ok('ps', '-v')).toMatch(/web.*✓/s);
  });

  it('completes answers when the server is stopped, and its output is followed to the end', async () => {
    const [submission] = latest(await show('web'));
    const query = `run_name=web&job_submission_id=${submission?.id}`;
    const logs = await fetch(`${home.url}/api/project/main/logs/stream?${query}`, {
      headers: { authorization: `Bearer ${home.token()}` },
    });
    const parts = (await get('web/events')).body?.pipeThrough(new TextDecoderStream()).getReader();
    let seen = (await parts?.read())?.value ?? '';
    const stopped = home.stopServer('SIGTERM');
    for (let part = await parts?.read(); !part?.done; part = await parts?.read())
      seen += part?.value;
    expect(seen).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n');
    expect(await logs.text()).toContain('data: ');
    expect(await stopped).toBe(0);
    await home.startServer();
  });

  it('is cut off at once by the second signal', async () => {
    await untilReady('web', 1);
    const answer = await get('web/endless');
    const reader = answer.body?.getReader();
    await reader?.read();
    const pid = home.serverPid;
    const stopped = home.stopServer();
    await until(() => home.serverNotices.includes('press Ctrl-C again'));
    process.kill(pid, 'SIGINT');
    expect(await stopped).toBe(130);
    await expect(reader?.read()).rejects.toThrow();
    await home.startServer();
  });

  it('continues when the server is started again', async () => {
    const before = [...(await untilReady('web', 1)).keys()];
    const asked = { model: 'parrot', messages: [{ role: 'user', content: 'count this' }] };
    const answer = await fetch(`${home.url}/proxy/models/main/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${home.token()}` },
      body: JSON.stringify(asked),
    });
    await answer.text();
    await home.stopServer('SIGKILL');
    await home.startServer();
    expect([...(await untilReady('web', 1)).keys()]).toEqual(before);
    // The server stores the use of complete answers: this one, one before, and a stream of four events.
    const { usage } = JSON.parse(await home.ok('usage', '--json'));
    expect(usage).toMatchObject([
      { model: 'parrot', user: 'admin', requests: 3, estimated: 1, prompt_tokens: 2 },
    ]);
  });
});

const retry = 'retry: {on_events: [error], duration: 1h}\n';
const probes = 'probes: [{type: http, url: /well, interval: 1s}]\n';

describe('replicas', () => {
  it('take over for one that is killed, until it is back', async () => {
    await apply('pair', `replicas: 2\n${retry}${probes}`);
    const [killed] = (await untilReady('pair', 2)).values();
    process.kill(killed?.pid ?? 0, 'SIGKILL');
    const statuses = new Set<number>();
    const isThere = (run: ServiceRun) =>
      latest(run).some((one) => one?.id === killed?.job) === false && alive(run).length === 2;
    let again = false;
    void untilShown('pair', isThere).then(() => {
      again = true;
    });
    while (!again) statuses.add((await get('pair/')).status);
    expect([...statuses]).toEqual([200]);
    expect((await untilReady('pair', 2)).has(killed?.job ?? '')).toBe(false);
  });

  it('get no requests while their probe fails', async () => {
    const { job: sick } = await see(await get('pair/sick'));
    // Requests are taken in turn, so that an unbroken row of the other one shows it.
    for (let others = 0; others < 5; ) {
      others = (await see(await get('pair/'))).job === sick ? 0 : others + 1;
    }
    expect((await untilReady('pair', 2)).has(sick)).toBe(true);
  });

  it('are restarted if their liveness probe fails', async () => {
    await apply(
      'alive',
      'replicas: 1\nliveness: {url: /well, interval: 1s, failures: 2, start_period: 0s}\n',
    );
    const [before] = (await untilReady('alive', 1)).values();
    await get('alive/sick');
    await untilShown('alive', (run) => latest(run)[0]?.submission_num === 1);
    const [after] = (await untilReady('alive', 1)).values();
    expect(after?.pid).not.toBe(before?.pid);
    const events = await home.ok('event', '--within-run', 'alive');
    expect(events).toContain('GET /well failed 2 times in a row');
    await home.ok('stop', 'alive', '-y', '--wait');
  });

  it('are replaced by an update without a failed request', async () => {
    const statuses = new Map<number, number>();
    let over = false;
    const ask = async (path: string, init: RequestInit) => {
      while (!over) {
        const { status } = await get(path, init);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    const asking = [
      ask('pair/', {}),
      ask('pair/', { method: 'POST', body: 'x'.repeat(10_000) }),
      ask('pair/events', {}),
    ];
    await apply('pair', `replicas: 2\nenv: {VERSION: '2'}\n${retry}${probes}`);
    await untilShown(
      'pair',
      (run) => alive(run).length === 2 && alive(run).every((one) => one?.deployment_num === 1),
    );
    over = true;
    await Promise.all(asking);
    expect([...statuses.keys()]).toEqual([200]);
    const versions = [...(await untilReady('pair', 2)).values()].map(({ version }) => version);
    expect(versions).toEqual(['2', '2']);
    await home.ok('stop', 'pair', '-y');
  });

  it('of the last version continue if the next one is broken', async () => {
    await apply('sound', 'replicas: 1\n');
    await untilReady('sound', 1);
    await apply('sound', 'replicas: 1\n', 'exit 7');
    await untilShown('sound', (run) =>
      latest(run).some((one) => one?.exit_status === 7 && one.deployment_num === 1),
    );
    // It has been retried, beside the replica that serves.
    await untilShown('sound', (run) => run.jobs.some((job) => job.job_submissions.length > 2));
    expect((await get('sound/')).status).toBe(200);
    await home.ok('stop', 'sound', '-y');
  });

  it('come back if the next version does not become ready in time, or on request', async () => {
    await apply('returns', 'replicas: 1\n');
    const [before] = (await untilReady('returns', 1)).values();
    await apply('returns', 'replicas: 1\nrollout: {deadline: 2s}\n', 'sleep 1; exit 7');
    const waited = await home.dstack(['rollout', 'status', 'returns', '--wait']);
    expect([waited.code, waited.stdout]).toEqual([
      6,
      expect.stringContaining('deployment 2 rolled back: no further replica was ready within 2s'),
    ]);
    expect(await see(await get('returns/'))).toMatchObject({ job: before?.job });
    const messages = await home.ok('event', 'list', '--within-run', 'returns');
    expect(messages).toContain('Deployment 2 has the configuration of 0');
    // A version that never gets ready, and one that has no place anywhere.
    const failing = 'probes: [{type: http, url: /nosuch, interval: 1s, method: delete}]\n';
    for (const [more, command, resources] of [
      [failing, `exec ${jobNode()} -e "setInterval(() => 0, 1e9)"`, '{gpu: 0}'],
      ['', 'true', '{gpu: 8}'],
    ] as const) {
      const rollout = 'replicas: 1\nrollout: {deadline: 1s}\n';
      await apply('returns', rollout + more, command, resources);
      const statuses = new Set<number>();
      const rolledBack = home.dstack(['rollout', 'status', 'returns', '--wait']);
      let isOver = false;
      void rolledBack.finally(() => {
        isOver = true;
      });
      while (!isOver) statuses.add((await get('returns/')).status);
      expect([(await rolledBack).code, [...statuses]]).toEqual([6, [200]]);
    }
    await apply('returns', `replicas: 1\nenv: {VERSION: '3'}\n${probes}`);
    await home.ok('rollout', 'status', 'returns', '--wait');
    expect(await see(await get('returns/'))).toMatchObject({ version: '3' });
    await home.ok('rollout', 'undo', 'returns', '--wait');
    while ((await see(await get('returns/'))).version !== '1');
    await home.ok('stop', 'returns', '-y');
  });

  it('report why they cannot be started', async () => {
    const scaling = 'scaling: {metric: rps, target: 1}\nreplicas: 0..1\n';
    await apply('exits', `${scaling}`, 'sleep 1; exit 7');
    await apply('huge', `${scaling}`, 'true', '{gpu: 8}');
    await apply('none', 'replicas: 0\n');
    const why = async (name: string) => {
      const answer = await get(`${name}/`);
      const { detail } = (await answer.json()) as { detail: string };
      return [answer.status, detail, Number(answer.headers.get('retry-after')) > 0];
    };
    for (let i = 0; i < 2; i++) {
      expect(await Promise.all(['exits', 'huge', 'none', 'nosuch'].map(why))).toEqual([
        [503, 'Service main/exits is not available: exited with code 7', true],
        [503, expect.stringContaining('main/huge is not available: no capacity'), true],
        [503, expect.stringContaining('main/none is not available: scaled to 0'), true],
        [404, 'Service main/nosuch not found', false],
      ]);
    }
    expect((await show('huge')).status).toBe('submitted');
  });

  it('are started by the first request, and more of them by more requests', async () => {
    const scaling = '{metric: rps, target: 1, window: 30s, scale_up_delay: 0s}';
    await apply('demand', `replicas: 0..2\nscaling: ${scaling}\n`);
    expect((await show('demand')).status).toBe('pending');
    expect((await get('demand/')).status).toBe(200);
    await Promise.all(Array.from({ length: 40 }, () => get('demand/')));
    await untilShown('demand', (run) => alive(run).length === 2);
    await untilReady('demand', 2);
  });

  it('follow requests in flight and a query of Prometheus, and report why', async () => {
    const value = '{"status":"success","data":{"resultType":"scalar","result":[1,"12"]}}';
    const prometheus = createServer((_request, response) => response.end(value)).listen(0);
    await once(prometheus, 'listening');
    const { port } = prometheus.address() as AddressInfo;
    const delay = 'scale_up_delay: 0s';
    const query = `{metric: prometheus, url: 'http://127.0.0.1:${port}', query: up, target: 5, ${delay}}`;
    const flight = `{metric: concurrency, target: 0.1, window: 30s, ${delay}}`;
    await home.ok('stop', 'demand', '-y', '--wait');
    await apply('busy', `replicas: 1..2\nautoscaling: [${flight}]\n`);
    await untilReady('busy', 1);
    await apply('queue', `replicas: 0..3\nautoscaling: [${query}]\n`);
    const streams = await Promise.all([get('busy/endless'), get('busy/endless')]);
    await untilShown('queue', (run) => latest(run).length === 3);
    await untilShown('busy', (run) => latest(run).length === 2);
    for (const { body } of streams) await body?.cancel();
    prometheus.close();
    const explained = await home.ok('explain', 'queue');
    expect(explained).toContain('query up is 12; the target is 5 per replica');
    const events = await home.ok('event', '--within-run', 'busy');
    expect(events).toContain('Service scaled from 1 to 2 replicas: requests in flight are');
    await home.ok('stop', 'queue', 'busy', '-y');
  });
});
