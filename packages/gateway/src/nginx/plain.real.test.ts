/** Requests that nginx answers itself, beside those that it leaves to the workers. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { type IncomingHttpHeaders, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { marksOf } from '@dstack/proxy';
import { CHOSEN, hasLua } from '@dstack/proxy/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlainWorld } from './testing/plain-world.ts';

const known = { authorization: 'Bearer known-caller' };
const SOON = { timeout: 15_000, interval: 50 };

interface Seen {
  readonly name: string;
  readonly url: string;
  readonly method: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

describe.skipIf(!hasLua)('nginx of a gateway', { timeout: 60_000 }, () => {
  let world: PlainWorld;
  beforeAll(async () => {
    world = await new PlainWorld().start();
  }, 60_000);
  afterAll(async () => await world?.stop());

  const seen = ({ body }: { readonly body: string }) => JSON.parse(body) as Seen;

  it('answers requests of an open service as workers do', async () => {
    world.serve('open.apps.test', [await world.app('one')]);
    const headers = {
      ...{ 'x-own': 'a', forwarded: 'for=1.2.3.4', 'x-real-ip': '1.2.3.4' },
      ...{ 'x-forwarded-for': '1.2.3.4', 'x-forwarded-port': '1', accept: 'a/b' },
    };
    const asked = (body = '', more = {}) => {
      const method = body === '' ? 'GET' : 'POST';
      const options = { method, headers: { ...headers, ...more }, body };
      return world.ask('open.apps.test', '/a%2Fb//c?d=/../', options);
    };
    // Neither of them passes it on.
    const forged = { 'x-dstack-user': 'ann' };
    const byWorker = [await asked('', forged), await asked('text', forged)];
    await world.untilPlain('open.apps.test');
    const itself = [await asked(), await asked('text')];
    expect([...byWorker, ...itself].map(isPlain)).toEqual([false, false, true, true]);
    const shown = (answer: (typeof byWorker)[number]) => {
      const { 'x-request-id': id, connection: _, ...rest } = seen(answer).headers;
      expect(id).toMatch(/^[0-9a-f-]{32,36}$/);
      const { date: __, 'x-request-id': own, 'content-length': ___, ...headers } = answer.headers;
      expect(own).toBe(id);
      return { ...seen(answer), headers: rest, status: answer.status, answered: headers };
    };
    expect(itself.map(shown)).toEqual(byWorker.map(shown));
    expect(itself[0]?.headers['x-dstack-user']).toBeUndefined();
  });

  it.each([
    ['a token in a header', { 'x-api-key': 'a' }, '/'],
    ['a user with a password', { 'x-other': 'Basic YTpi' }, '/'],
    ['an id that may be a token', { 'x-other': '6f1c2b1e-0000-4000-8000-000000000000' }, '/'],
    ['a cookie of dstack', { cookie: 'a=b; dstack_session=x' }, '/'],
    ['a cookie with a token', { cookie: 'token=x' }, '/'],
    ['a parameter with a token', {}, '/?access_token=x'],
    ['a parameter whose name is encoded', {}, '/?%74oken=x'],
    ['a token in what is no query to nginx', {}, '/#?access_token=x'],
    ['a page with a token', { referer: 'http://open.apps.test/?key=1' }, '/'],
    ['an unknown credential', { authorization: 'Bearer of-the-app' }, '/'],
    ['a header of this gateway', { 'x-dstack-user': 'ann' }, '/'],
    ['wanted trailers', { te: 'trailers' }, '/'],
    ['a header for this connection alone', { connection: 'x-own', 'x-own': 'a' }, '/'],
  ])('leaves a request with %s to the workers', async (_name, headers, path) => {
    const answer = await world.ask('open.apps.test', path, { headers });
    expect([answer.status, isPlain(answer)]).toEqual([200, false]);
  });

  it('leaves requests with a token that the operator has chosen to the workers, once there is one', async () => {
    const ask = (cookie: string) => world.ask('open.apps.test', '/', { headers: { cookie } });
    const cookie = `session=${encodeURIComponent(CHOSEN)}`;
    expect(isPlain(await ask(cookie))).toBe(true);
    const chosen = async (tokens: readonly string[]) => {
      world.tokenMarks = marksOf(tokens);
      world.engine.changed();
      await expect.poll(async () => isPlain(await ask(cookie)), SOON).toBe(tokens.length === 0);
    };
    await chosen([CHOSEN]);
    expect(isPlain(await ask('session=another-one-1234'))).toBe(true);
    await chosen([]);
  });

  it('lets an app see no host that is not a name with a port', async () => {
    const ask = (host: string) => world.ask('open.apps.test', '/', { headers: { host } });
    expect(isPlain(await ask('open.apps.test:8080'))).toBe(true);
    expect((await ask('open.apps.test:a@evil.test')).status).toBe(404);
  });

  it('leaves methods of few clients to the workers', async () => {
    const options = { method: 'PROPFIND', headers: { 'content-length': '0' } };
    const answer = await world.ask('open.apps.test', '/', options);
    expect([answer.status, isPlain(answer)]).toEqual([200, false]);
  });

  it('leaves large bodies and unknown names to the workers', async () => {
    const body = 'x'.repeat(100_000);
    const answer = await world.ask('open.apps.test', '/', { method: 'POST', body });
    expect([seen(answer).body.length, isPlain(answer)]).toEqual([100_000, false]);
    const { status, body: text } = await world.ask('other.apps.test');
    expect([status, text]).toEqual([404, expect.stringContaining('No service has the host name')]);
  });

  it.each(['h2c', 'websocket'])(
    'has workers pass on the body of a request that offers %s',
    async (upgrade) => {
      const headers = { connection: 'Upgrade', upgrade };
      const answer = await world.ask('open.apps.test', '/', {
        method: 'POST',
        headers,
        body: 'text',
      });
      expect([answer.status, seen(answer).body, isPlain(answer)]).toEqual([200, 'text', false]);
    },
  );

  it('passes on what an app admits callers by, once a worker has looked at it', async () => {
    const headers = { authorization: 'Bearer of-the-app' };
    const ask = () => world.ask('open.apps.test', '/', { headers });
    // The one before may have been the first of this caller.
    await ask();
    const answer = await ask();
    expect([seen(answer).headers.authorization, isPlain(answer)]).toEqual([
      headers.authorization,
      true,
    ]);
  });

  it('admits callers whom a worker has admitted, until their access changes', async () => {
    const run = world.serve('members.apps.test', [await world.app('members')], { auth: true });
    const ask = (headers: Record<string, string> = known) =>
      world.ask('members.apps.test', '/', { headers });
    await world.untilPlain('members.apps.test', { headers: known });
    const before = world.asked;
    const shown = seen(await ask()).headers;
    expect([shown['x-dstack-user'], shown.authorization]).toEqual(['ann', undefined]);
    expect(world.asked).toBe(before);
    const token = known.authorization.replace('Bearer ', '');
    const repeated = await ask({ ...known, 'x-other': `${token};z` });
    expect([repeated.status, isPlain(repeated)]).toEqual([200, false]);
    const inQuery = await world.ask('members.apps.test', `/?a=${token}`, { headers: known });
    expect([inQuery.status, isPlain(inQuery)]).toEqual([200, false]);
    for (const headers of [{}, { authorization: 'Bearer other' }]) {
      expect((await ask(headers as Record<string, string>)).status).toBe(403);
    }
    const stream = request(`${world.url}/stream`, {
      headers: { host: 'members.apps.test', ...known },
    });
    stream.end();
    const [answer] = await once(stream, 'response');
    answer.resume();
    await once(answer, 'data');
    // Another access has changed: the stream goes on.
    world.accessChanged();
    await delay(1500);
    expect(answer.destroyed).toBe(false);
    world.callers.delete(known.authorization);
    world.accessChanged();
    answer.on('error', () => {});
    await expect.poll(async () => (await ask()).status, SOON).toBe(403);
    await expect.poll(() => answer.destroyed, SOON).toBe(true);
    world.callers.set(known.authorization, 'ann');
    world.serve('members.apps.test', [], { auth: true, run });
  });

  it('admits no caller because the service was open before', async () => {
    const app = await world.app('closed');
    const run = world.serve('closed.apps.test', [app]);
    const headers = { authorization: 'Bearer of-the-app' };
    await world.untilPlain('closed.apps.test', { headers });
    world.serve('closed.apps.test', [app], { auth: true, run });
    await delay(500);
    expect((await world.ask('closed.apps.test', '/', { headers })).status).toBe(403);
  });

  it('fails no request while replicas are replaced, refuse connections or are killed between requests', async () => {
    const [one, two, three] = [await world.app('a'), await world.app('b'), await world.app('c')];
    const run = world.serve('moved.apps.test', [one, two]);
    await world.untilPlain('moved.apps.test');
    const load = world.load('moved.apps.test');
    await load.more(200);
    // Only this replica's connection is refused: its table still names it.
    two.process.kill('SIGSTOP');
    two.process.kill('SIGCONT');
    world.serve('moved.apps.test', [one, two, three], { run });
    await load.more(200);
    await world.engine.leave(one.job);
    await Promise.all(world.workers.all.map((worker) => worker.leave(one.job)));
    one.process.kill('SIGKILL');
    await load.more(200);
    world.serve('moved.apps.test', [two, three], { run });
    await load.more(200);
    const { failed } = await load.end();
    expect(failed).toEqual([]);
    // The one that was killed is in the table until the server removes it.
    three.process.kill('SIGKILL');
    await once(three.process, 'exit');
    const names = await Promise.all(
      Array.from({ length: 20 }, async () => seen(await world.ask('moved.apps.test')).name),
    );
    expect(new Set(names)).toEqual(new Set(['b']));
  });

  it('waits with the end of a replica for the requests that it has', async () => {
    const [one, two] = [await world.app('left'), await world.app('stays')];
    world.serve('leaving.apps.test', [one]);
    await world.untilPlain('leaving.apps.test');
    const slow = world.ask('leaving.apps.test', '/slow?ms=2000');
    await delay(300);
    let hasLeft = false;
    const leaving = world.engine.leave(one.job).then(() => {
      hasLeft = true;
    });
    await delay(1000);
    expect(hasLeft).toBe(false);
    expect((await slow).status).toBe(200);
    await leaving;
    two.process.kill();
  });

  it('has workers repeat what was read only, and say why another request was not answered', async () => {
    world.serve('dies.apps.test', [await world.app('dies')]);
    await world.untilPlain('dies.apps.test');
    for (const [method, body] of [
      ['GET', ''],
      ['POST', 'x'],
    ] as const) {
      const { status, body: text } = await world.ask('dies.apps.test', '/die', { method, body });
      expect([status, text]).toEqual([502, expect.stringContaining('closed the connection')]);
    }
  });

  it('leaves an app that sends interim answers to the workers, after one broken request', async () => {
    const app = await world.app('early');
    const run = world.serve('early.apps.test', [app]);
    await world.untilPlain('early.apps.test');
    // nginx closes the connection of the broken request.
    const init = { method: 'POST', body: 'x', headers: { connection: 'close' } };
    const ask = () => world.ask('early.apps.test', '/early', init);
    // nginx takes the interim answer for the whole one. The app has run the request, so it must not be repeated.
    const broken = await ask();
    expect([broken.status, broken.body]).toEqual([
      502,
      expect.stringContaining('closed the connection'),
    ]);
    const answers = async () => {
      for (let n = 0; n < 20; n++) {
        const answer = await ask();
        expect([answer.status, seen(answer).url, isPlain(answer)]).toEqual([200, '/early', false]);
      }
    };
    expect((await ask()).headers['x-early']).toBe('2');
    await answers();
    // The service is read anew, as another one that is served later is.
    world.serve('early.apps.test', [app, await world.app('early-too')], { run });
    world.serve('later.apps.test', [await world.app('later')]);
    await world.untilPlain('later.apps.test');
    await answers();
  });

  it('avoids a replica that answers with errors, and reports it', async () => {
    const [good, bad] = [await world.app('good'), await world.app('bad')];
    const run = world.serve('broken.apps.test', [good, bad]);
    await world.untilPlain('broken.apps.test');
    bad.process.send('break');
    let errors = 0;
    for (let n = 0; n < 60; n++) {
      if ((await world.ask('broken.apps.test')).status === 500) errors += 1;
    }
    // Two processes of nginx, of which each has to see it.
    expect(errors).toBeLessThanOrEqual(20);
    const shown = async () => {
      // When it is tried again, it is avoided again.
      for (let n = 0; n < 10; n++) await world.ask('broken.apps.test');
      return world.figures.get(world.engine)?.get(run)?.ejected;
    };
    await expect.poll(shown, SOON).toBe(1);
  });

  it('counts requests of services that scale by them', async () => {
    const scaled = { replicas: { min: 1, max: 2 }, scaling: { metric: 'rps', target: 1 } };
    world.serve('scaled.apps.test', [await world.app('scaled')], scaled);
    await world.untilPlain('scaled.apps.test');
    await delay(1500);
    const before = world.demand;
    for (let n = 0; n < 10; n++) await world.ask('scaled.apps.test');
    await expect.poll(() => world.demand, SOON).toBe(before + 10);
  });

  it('loses and doubles no count of a process that is killed', async () => {
    world.serve('counted.apps.test', [await world.app('counted')]);
    await world.untilPlain('counted.apps.test');
    await delay(2500);
    // Workers answer those that come while nginx does not know the service.
    const [before, plainBefore] = [world.allRequests, world.plainRequests];
    let done = 0;
    for (let round = 0; round < 3; round++) {
      const load = world.load('counted.apps.test');
      await load.more(100);
      done += (await load.end()).answered;
      for (const pid of nginxWorkers(world.runtime)) process.kill(pid, 'SIGKILL');
      await expect.poll(() => nginxWorkers(world.runtime).length, SOON).toBe(2);
    }
    await expect.poll(() => world.allRequests - before, SOON).toBe(done);
    await delay(1500);
    expect(world.allRequests - before).toBe(done);
    expect(world.plainRequests - plainBefore).toBeGreaterThan(200);
  });

  it('knows what a killed worker has answered up to a moment before', async () => {
    world.serve('killed.apps.test', [await world.app('killed')]);
    const before = world.allRequests;
    const [one, two] = world.workers.all as unknown as { readonly child: ChildProcess }[];
    // Workers answer this method.
    const ask = () => world.ask('killed.apps.test', '/', { method: 'PROPFIND' });
    await Promise.all(Array.from({ length: 40 }, ask));
    await delay(150);
    one?.child.kill('SIGKILL');
    two?.child.kill('SIGKILL');
    await delay(1500);
    expect(world.allRequests - before).toBe(40);
    // Both processes of nginx find the workers that follow.
    const answers = () => Promise.all(Array.from({ length: 20 }, ask));
    await expect
      .poll(async () => (await answers()).every(({ status }) => status === 200), SOON)
      .toBe(true);
  });

  it('shows the latest requests', async () => {
    const run = world.serve('shown.apps.test', [await world.app('shown')]);
    await world.untilPlain('shown.apps.test');
    await world.ask('shown.apps.test', '/path/a?with=query', { method: 'DELETE' });
    const records = (await world.engine.access(run, {})).flatMap((one) => one.records);
    expect(records).toContainEqual({
      ...{ time: expect.any(Number), method: 'DELETE', path: '/path/a', status: 200 },
      ...{ ms: expect.any(Number), user: null, address: '127.0.0.1' },
      request_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      job_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  it('leaves everything to the workers when its table is no longer kept up to date', async () => {
    world.engine.isOn = false;
    await delay(6000);
    const answer = await world.ask('open.apps.test');
    expect([answer.status, isPlain(answer)]).toEqual([200, false]);
    world.engine.isOn = true;
    await world.untilPlain('open.apps.test');
  });

  it('begins anew when nginx is started again', async () => {
    await world.nginx.stop();
    await world.ensure();
    await world.untilPlain('open.apps.test');
  });
});

/** Workers name requests in another form. */
const isPlain = ({ headers }: { readonly headers: IncomingHttpHeaders }): boolean =>
  /^[0-9a-f]{32}$/.test(String(headers['x-request-id']));

function nginxWorkers(runtime: string): number[] {
  const master = execFileSync('cat', [`${runtime}/nginx.pid`])
    .toString()
    .trim();
  const found = execFileSync('ps', ['-o', 'pid=', '--ppid', master]).toString();
  return found
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 0);
}
