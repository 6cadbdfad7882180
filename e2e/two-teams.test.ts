/** Two teams on two SSH hosts: one borrows from the other, which takes its host back; and a host that is drained under load. */
import type { Installation } from '@dstack/testkit';
import { startHosts, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  afterFailure,
  allIdle,
  applySshFleet,
  IMAGE,
  missingForHosts,
  onFleet,
  untilInstances,
} from './hosts.ts';
import {
  configuration,
  isRunning,
  newInstallation,
  type ShownRun,
  submit,
} from './installation.ts';
import { requestLoad } from './request-load.ts';
import { until, waitFor } from './until.ts';

/** A folder of both hosts, as on a network file system. */
const SHARED = '/mnt/shared';

/** Counts on from its checkpoint, writes one at Ctrl-C, and keeps its notice; ends by itself when it has resumed. */
const CHECKPOINTED = [
  'from=$(cat /shared/step 2>/dev/null || echo 0); n=$from; echo "begins at $from"',
  `trap 'echo $n > /shared/step; echo "saved $n"; exit 0' INT`,
  'while [ $from = 0 ] || [ $n -lt $((from + 5)) ]; do n=$((n + 1)); if [ -s "$DSTACK_PREEMPTION_FILE" ]; then cat "$DSTACK_PREEMPTION_FILE" > /shared/notice; fi; sleep 0.2; done',
  'echo "done at $n"',
];

/** Goes on until a file of its name appears. */
const working = (name: string) => [
  `echo works; while [ ! -e /shared/end-${name} ]; do sleep 0.2; done`,
];

describe.skipIf(missingForHosts() !== null)('two teams on two SSH hosts', () => {
  let machines: TestHosts;
  let home: Installation;
  let bob = '';

  beforeAll(async () => {
    machines = await startHosts({ count: 2 });
    await machines.busybox(IMAGE);
    home = newInstallation({
      ...{ DSTACK_LOCAL_PROJECTS: 'none', DSTACK_SERVER_PROXY_WORKERS: '0' },
      ...{ DSTACK_PREEMPTION_MIN_RUNTIME: '1s', DSTACK_PREEMPTION_GRACE: '8s' },
    });
    await home.startServer();
    await applySshFleet(home, machines, 'pool', machines.hosts);
    await home.api('/api/projects/create', { project_name: 'lab' });
    await home.api('/api/users/create', { username: 'bob', global_role: 'user' });
    const members = [{ username: 'bob', project_role: 'user' }];
    await home.api('/api/projects/lab/add_members', { members });
    const user = await home.api<{ creds: { token: string } }>('/api/users/get_user', {
      username: 'bob',
    });
    bob = user.creds.token;
    await home.ok('project', 'add', '--name', 'lab', '--url', home.url, '--token', bob, '-n');
    await home.api('/api/project/main/exports/create', {
      ...{ name: 'lent', importer_projects: ['lab'], exported_fleets: ['pool'] },
      ...{ is_global: false, exported_gateways: [] },
    });
    await home.ok('quota', 'set', '--guaranteed', 'instances=2');
    await untilInstances(home, 'pool', allIdle);
  });
  afterAll(async () => {
    await home?.dispose();
    await machines?.close();
  });
  afterEach(({ task }) => afterFailure(task, home, machines?.hosts ?? []));

  const shared = `volumes: ["${SHARED}:/shared"]\n`;
  const onPool = onFleet('pool') + shared;

  /** The run as bob sees it, who is no member of the other project. */
  const ofLab = (run_name: string) =>
    home.api<ShownRun>('/api/project/lab/runs/get', { run_name }, bob);
  const untilLab = (name: string, is: (run: ShownRun) => boolean) =>
    waitFor(
      () => ofLab(name),
      is,
      () => home.ok('explain', name, '--project', 'lab', '-v'),
    );
  const ofMain = (run_name: string) =>
    home.api<ShownRun>('/api/project/main/runs/get', { run_name });
  const untilMain = (name: string, is: (run: ShownRun) => boolean) =>
    waitFor(
      () => ofMain(name),
      is,
      () => home.ok('explain', name, '-v'),
    );

  it('one borrows a host, the other takes it back, and the work goes on from its checkpoint', async () => {
    const [host] = machines.hosts;
    await submit(home, 'keeper', working('keeper'), onPool);
    await untilMain('keeper', isRunning);
    const yaml = `type: task\nname: borrower\ncommands: ${JSON.stringify(CHECKPOINTED)}\nresources:\n  gpu: 0\n${onFleet('main/pool')}${shared}`;
    const file = configuration(home, 'borrower.dstack.yml', yaml);
    await home.ok('apply', '-f', file, '-y', '-d', '--project', 'lab');
    const lent = await untilLab('borrower', isRunning);
    await until(async () =>
      (await home.ok('logs', 'borrower', '--project', 'lab')).includes('begins'),
    );

    await submit(home, 'taker', working('taker'), onPool);
    // Both see it: the one who waits, and the one who has to leave, who does not learn for whom.
    const asking = await untilMain(
      'taker',
      ({ status_message }) => status_message === 'preempting',
    );
    expect(asking.status).toBe('submitted');
    const noticed = await untilLab(
      'borrower',
      ({ status_message }) => status_message !== lent.status_message,
    );
    expect(noticed.status).toBe('running');
    const explained = await home.ok('explain', 'borrower', '--project', 'lab');
    expect(explained).toContain('takes back');
    expect(explained).not.toContain('taker');
    await until(
      () => host?.exec(`cat ${SHARED}/notice 2>/dev/null || true`).then(Boolean) ?? false,
    );
    const notice = JSON.parse((await host?.exec(`cat ${SHARED}/notice`)) ?? '');
    expect(notice).toEqual(expect.objectContaining({ reason: expect.any(String) }));

    await untilMain('taker', isRunning);
    const requeued = await untilLab('borrower', ({ latest_job_submission: { id } }) => {
      return id !== lent.latest_job_submission.id;
    });
    expect(['submitted', 'pending']).toContain(requeued.status);
    expect(await home.ok('ps', '-a', '--project', 'lab')).toMatch(/borrower/);
    const messages = await home.api<{ message: string }[]>(
      '/api/events/list',
      { within_runs: [requeued.id], ascending: true },
      bob,
    );
    expect(JSON.stringify(messages)).toContain('takes back');
    expect(JSON.stringify(messages)).not.toContain('taker');

    // Its place becomes free on the other host.
    await host?.exec(`touch ${SHARED}/end-keeper`);
    const done = await untilLab('borrower', ({ status }) => status === 'done');
    expect(done.latest_job_submission.exit_status).toBe(0);
    const step = Number(await host?.exec(`cat ${SHARED}/step`));
    expect(step).toBeGreaterThan(0);
    const lines = await home.ok('logs', 'borrower', '--project', 'lab');
    expect(lines).toContain(`begins at ${step}`);
    expect(lines).toContain(`done at ${step + 5}`);
    await host?.exec(`touch ${SHARED}/end-taker`);
    await untilMain('taker', ({ status }) => status === 'done');
  }, 240_000);

  it('a host is drained under a service, and no request fails', async () => {
    const yaml = [
      ...['type: service', 'name: web', `image: ${IMAGE}`, 'port: 8000', 'fleets: [pool]'],
      'commands: [mkdir www; echo hello > www/index.html, exec httpd -f -p 8000 -h www]',
      'probes: [{type: http, url: /index.html, interval: 1s}]',
      'resources: {cpu: 1.., memory: 1GB.., disk: 1GB..}',
    ].join('\n');
    const file = configuration(home, 'web.dstack.yml', yaml);
    await home.ok('apply', '-f', file, '-y', '-d');
    const headers = { authorization: `Bearer ${home.token()}` };
    const ask = async () => {
      const answer = await fetch(`${home.url}/proxy/services/main/web/index.html`, { headers });
      const text = await answer.text();
      return answer.status === 200 && text === 'hello\n' ? null : `${answer.status} ${text}`;
    };
    await until(async () => (await ask().catch(String)) === null);
    const busy = await untilInstances(home, 'pool', (all) =>
      all.some(({ status }) => status === 'busy'),
    );
    const leaving = busy.find(({ status }) => status === 'busy')?.name ?? '';
    const end = requestLoad(ask);
    await home.ok('instance', 'drain', leaving, '--deadline', '60s');
    await untilInstances(home, 'pool', (all) =>
      all.every(({ name, status }) => (name === leaving) === (status === 'idle')),
    );
    const { answered, failed } = await end();
    expect(failed).toEqual([]);
    expect(answered).toBeGreaterThan(50);
    await home.ok('instance', 'uncordon', leaving);
    await home.ok('stop', 'web', '-y');
  }, 180_000);
});
