/** Runs that wait until others have ended. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run as runWork } from '../../loops/work/run.ts';
import { LOCAL_OFFER } from '../testing/offers.ts';
import { passDeps } from '../testing/pass-deps.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  server.offers.push(LOCAL_OFFER);
});
afterAll(() => server.close());

const call = (name: string, body: object, headers = {}) =>
  server.call(`/api/project/main/runs/${name}`, body, { headers });
const get = async (run_name: string) => (await call('get', { run_name })).body;
const explain = async (name: string) =>
  (await server.call(`/api/project/main/explain/runs/${name}`, undefined, { method: 'GET' })).body;

const spec = (run_name: string, more: object = {}) => ({
  run_name,
  configuration: { type: 'task', commands: ['echo'], retry: true, ...more },
  ssh_key_pub: 'ssh-rsa AAAA x',
});

const apply = (name: string, more: object = {}) =>
  call('apply', { plan: { run_spec: spec(name, more) }, force: false });

async function submit(name: string, ...depends_on: (string | object)[]) {
  const answer = await apply(name, depends_on.length > 0 ? { depends_on } : {});
  expect(answer.status).toBe(200);
  return answer.body;
}

async function pass(id: string): Promise<void> {
  await runWork.work(passDeps(server))(id);
}

/** All signals of the loops are run until none is left. */
async function end(id: string, name: string): Promise<string[]> {
  const signalled: string[] = [];
  const off = server.store.engine.onSignal(({ kind, id: key }) => {
    if (kind === 'run' && key !== id) signalled.push(key);
  });
  await call('stop', { runs_names: [name], abort: true });
  await pass(id);
  off();
  return signalled;
}

describe('a run that depends on another', () => {
  it('is pending without jobs until that one ends, whose end signals it', async () => {
    const first = await submit('first');
    const second = await submit('second', { run: 'first', on: 'end' });
    expect(second).toMatchObject({
      ...{ status: 'pending', status_message: 'dependency', jobs: [], next_triggered_at: null },
    });
    await pass(second.id);
    expect(await get('second')).toMatchObject({ status: 'pending' });
    expect(await server.store.engine.unfinished()).not.toContainEqual({
      ...{ kind: 'run', id: second.id },
    });
    expect((await explain('second')).summary).toBe(
      'Run second waits until run first has ended, which is submitted.',
    );
    expect(await end(first.id, 'first')).toEqual([second.id]);
    // A server that is killed before the signal finds it at its start.
    expect(await server.store.engine.unfinished()).toContainEqual({
      ...{ kind: 'run', id: second.id },
    });
    const alarms = await server.store.engine.alarms();
    expect(alarms).toContainEqual(expect.objectContaining({ kind: 'run', id: second.id }));
    await pass(second.id);
    expect(await get('second')).toMatchObject({ status: 'submitted', jobs: [expect.anything()] });
  });

  it('ends with it where it depends on its success, and so does the chain', async () => {
    const base = await submit('base');
    const middle = await submit('middle', 'base');
    const top = await submit('top', 'middle', { run: 'base', on: 'end' });
    expect((await explain('top')).summary).toContain(
      'waits until run middle is done, which waits until run base is done, which is submitted',
    );
    await end(base.id, 'base');
    await pass(middle.id);
    expect(await get('middle')).toMatchObject({
      ...{ status: 'failed', termination_reason: 'server_error', error: 'server error' },
    });
    // The run that it waited for may be deleted: the outcome was copied.
    await call('delete', { runs_names: ['base'] });
    await pass(top.id);
    expect((await get('top')).status).toBe('failed');
    expect(await explain('top')).toMatchObject({
      state: 'ended',
      reasons: [{ rule: 'dependency', asked: 'middle: success', has: 'failure' }],
    });
  });

  it('starts at once if that one has ended as it has to, and fails by its pass if not', async () => {
    const over = await submit('over');
    await end(over.id, 'over');
    expect(await submit('at-once', { run: 'over', on: 'failure' })).toMatchObject({
      status: 'submitted',
    });
    const late = await submit('late', 'over');
    expect(late.status).toBe('pending');
    // Also if the server is killed before that pass.
    expect(await server.store.engine.unfinished()).toContainEqual({ kind: 'run', id: late.id });
    await pass(late.id);
    expect((await get('late')).status).toBe('failed');
  });

  it('is released although it can no longer come true, if it waits with `keep`', async () => {
    const lost = await submit('lost');
    const kept = await submit('kept', { run: 'lost', keep: true });
    const early = await call('release', { runs_names: ['kept'] });
    expect([early.status, early.text]).toEqual([400, expect.stringContaining('is not held')]);
    await end(lost.id, 'lost');
    await pass(kept.id);
    expect(await get('kept')).toMatchObject({ status: 'pending', status_message: 'dependency' });
    expect((await explain('kept')).fixes).toMatchObject([{ command: 'dstack release kept' }]);
    await call('release', { runs_names: ['kept'] });
    await pass(kept.id);
    expect((await get('kept')).status).toBe('submitted');
  });

  it('is planned without a place, with a note that names what it waits for', async () => {
    await submit('before');
    const planned = async (depends_on: object[]) =>
      (await call('get_plan', { run_spec: spec('after', { depends_on }) })).body;
    expect(await planned([{ run: 'before', on: 'end' }])).toMatchObject({
      outlook: null,
      notes: expect.arrayContaining(['The run waits until before has ended, and then for a place']),
    });
  });

  it('is planned to wait for a place also if those it depends on have ended', async () => {
    const { id } = await submit('ended');
    await end(id, 'ended');
    const depends_on = [{ run: 'ended', on: 'end' }];
    const { body } = await call('get_plan', {
      run_spec: spec('later', { depends_on, retry: false }),
    });
    expect(body.outlook).toBe('waits');
  });

  it.each([
    [['nosuch'], {}, 'depends_on: the project has no run nosuch'],
    [['self'], {}, 'depends_on: the run self cannot depend on itself'],
    [['first'], { schedule: { cron: '0 0 * * *' } }, 'cannot wait for others'],
  ])('on %j with %j is refused by plan and submission', async (depends_on, more, text) => {
    for (const refused of [
      await apply('self', { depends_on, ...more }),
      await call('get_plan', { run_spec: spec('self', { depends_on, ...more }) }),
    ]) {
      expect([refused.status, refused.text]).toEqual([400, expect.stringContaining(text)]);
    }
  });

  it('can be in no cycle: names mean the runs that exist when it is submitted', async () => {
    const old = await submit('ring-a');
    const b = await submit('ring-b', { run: 'ring-a', on: 'end' });
    await end(old.id, 'ring-a');
    // The new run of the name is another one, on which no run depends.
    const again = await submit('ring-a', { run: 'ring-b', on: 'end' });
    await pass(b.id);
    expect((await get('ring-b')).status).toBe('submitted');
    await end(b.id, 'ring-b');
    await pass(again.id);
    expect((await get('ring-a')).status).toBe('submitted');
  });

  it('keeps it when a client of 0.22.5 changes the priority of the run', async () => {
    await submit('theirs');
    await submit('waits', 'theirs');
    const current_resource = await get('waits');
    delete current_resource.run_spec.configuration.depends_on;
    const plan = { run_spec: spec('waits', { priority: 9 }), current_resource };
    const body = { plan, force: false };
    const updated = await call('apply', body, { 'user-agent': 'python-requests/2.32' });
    expect(updated.body).toMatchObject({
      status: 'pending',
      run_spec: { configuration: { priority: 9, depends_on: [{ run: 'theirs' }] } },
    });
  });
});
