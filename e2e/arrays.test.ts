import type { Installation } from '@dstack/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyFleet,
  configuration,
  isFinished,
  newInstallation,
  showRun,
  untilRun,
} from './installation.ts';
import { waitFor } from './until.ts';

type Members = Readonly<
  Record<'pending' | 'submitted' | 'running' | 'terminated' | 'done' | 'failed', number>
>;

interface ShownArray {
  readonly status: string;
  readonly array: { readonly total: number; readonly members: Members };
}

describe('an array on the server’s machine', () => {
  let home: Installation;
  beforeAll(async () => {
    home = newInstallation({ DSTACK_LOCAL_MAX_INSTANCES: '4' });
    await home.startServer();
    await applyFleet(home, '0..4');
  });
  afterAll(() => home.dispose());

  const array = (name: string) =>
    home.api<ShownArray>('/api/project/main/runs/get', { run_name: name });

  const untilArray = (name: string, is: (shown: ShownArray) => boolean) =>
    waitFor(
      () => array(name),
      is,
      () => home.ok('explain', name),
    );

  const sweep = [
    'type: task\nname: sweep\ncommands:',
    // The first time, member 7 fails.
    `  - echo "member $DSTACK_ARRAY_INDEX of $DSTACK_ARRAY_COUNT has ${'$'}{{ array.value }}"`,
    `  - if [ ${'$'}{{ array.index }} = 7 ] && [ -z "$DONE_ONCE" ]; then exit 3; fi`,
    `array:\n  values: [${Array.from({ length: 20 }, (_, i) => `v${i}`).join(', ')}]`,
    '  max_parallel: 4\nresources: {gpu: 0}\n',
  ].join('\n');

  it('runs its members a few at a time, and fails with the one that fails', async () => {
    const file = configuration(home, 'sweep.dstack.yml', sweep);
    const applied = await home.dstack(['apply', '-f', file, '-y']);
    expect(applied.stdout + applied.stderr).toContain('20 members, 4 at a time');
    expect(applied.stderr).toContain('19 done, 1 failed of 20');
    expect(applied.code).not.toBe(0);
    expect(await array('sweep')).toMatchObject({
      ...{ status: 'failed', array: { total: 20, members: { done: 19, failed: 1, running: 0 } } },
    });
    expect(await home.ok('logs', '--index', '3', 'sweep')).toContain('member 3 of 20 has v3');
    expect(await home.ok('logs', 'sweep-12')).toContain('member 12 of 20 has v12');
    expect((await home.dstack(['logs', 'sweep'])).stderr).toContain('--index');
    expect(await home.ok('ps', '-a')).toMatch(/sweep .*19 done, 1 failed of 20/);
    const members = await home.ok('ps', '--members', 'sweep', '--json');
    expect(JSON.parse(members).runs).toHaveLength(20);
    expect(await home.ok('explain', 'sweep')).toContain('19 done and 1 failed, of 20 members');
  });

  it('runs the failed members again, with the same index and value', async () => {
    expect(await home.ok('rerun', '--failed', 'sweep', '--json')).toContain('"indexes":"7"');
    await untilRun(home, 'sweep', isFinished);
    expect(await array('sweep')).toMatchObject({ array: { total: 1, members: { failed: 1 } } });
    expect(await home.ok('logs', '--index', '7', 'sweep')).toContain('member 7 of 20 has v7');
    expect((await home.dstack(['run', 'get', 'sweep-8'])).code).not.toBe(0);
  });

  it('waits for capacity, goes on after a kill of the server, and ends when it is stopped', async () => {
    const yaml =
      'type: task\nname: long\ncommands: [sleep 1000]\narray: {count: 30, max_parallel: 10}\nresources: {gpu: 0}\n';
    const file = configuration(home, 'long.dstack.yml', yaml);
    await home.ok('apply', '-f', file, '-y', '-d');
    const isFull = ({ array: { members } }: ShownArray) => members.running === 4;
    await untilArray('long', isFull);
    await home.stopServer('SIGKILL');
    await home.startServer();
    const { array: shown } = await untilArray('long', isFull);
    // Neither lost nor doubled: the window is full, and those without a place wait.
    expect(shown.members.running + shown.members.submitted + shown.members.pending).toBe(10);
    await home.ok('stop', '-y', 'long-25');
    expect((await showRun(home, 'long-25')).status).toMatch(/terminat/);
    await home.ok('stop', '-y', 'long');
    await untilRun(home, 'long', isFinished);
    expect(await array('long')).toMatchObject({
      ...{ status: 'terminated', array: { members: { running: 0, terminated: 11 } } },
    });
    expect((await showRun(home, 'long-20')).status).toBe('terminated');
  });

  it('is waited for as a whole', async () => {
    const first = 'type: task\nname: first\ncommands: [echo]\narray: 3\nresources: {gpu: 0}\n';
    const after =
      'type: task\nname: after\ncommands: [echo after all]\ndepends_on: [first]\nresources: {gpu: 0}\n';
    await home.ok('apply', '-f', configuration(home, 'first.dstack.yml', first), '-y', '-d');
    await home.ok('apply', '-f', configuration(home, 'after.dstack.yml', after), '-y', '-d');
    expect((await untilRun(home, 'after', isFinished)).status).toBe('done');
    expect((await array('first')).array.members).toMatchObject({ done: 3 });
  });
});
