import type { Installation } from '@dstack/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { untilInstances } from './hosts.ts';
import {
  applyFleet,
  configuration,
  isFinished,
  isRunning,
  newInstallation,
  showRun,
  submit,
  untilRun,
} from './installation.ts';
import { untilPrinted } from './printed.ts';

describe('a task on the server’s machine', () => {
  let home: Installation;
  beforeAll(async () => {
    home = newInstallation();
    await home.startServer();
    await applyFleet(home, '0..2');
  });
  afterAll(() => home.dispose());

  const hello =
    'type: task\nname: hello\ncommands: [echo "hello $DSTACK_RUN_NAME"]\nresources: {gpu: 0}\n';

  it('shows its plan, its output as it is printed, and how it ended', async () => {
    const file = configuration(home, 'hello.dstack.yml', hello);
    const { code, stdout } = await home.dstack(['apply', '-f', file, '-y']);
    expect(code).toBe(0);
    expect(stdout).toContain('hello hello');
    expect(await showRun(home, 'hello')).toMatchObject({
      status: 'done',
      termination_reason: 'all_jobs_done',
      latest_job_submission: { status: 'done', exit_status: 0, status_message: 'exited (0)' },
    });
    expect(await home.ok('logs', 'hello')).toContain('hello hello');
  });

  it('starts from a template', async () => {
    for (const name of ['hello', 'train', 'dev', 'service', 'cluster']) {
      await home.ok('init', '--template', name, '--force');
      const file = `${name}.dstack.yml`;
      // Those that end by themselves; the server checks the others.
      const runs = ['hello', 'train'].includes(name);
      const applied = await home.dstack(['apply', '-f', file, ...(runs ? ['-y'] : ['--dry-run'])]);
      expect([name, applied.code]).toEqual([name, 0]);
      if (runs) expect(applied.stderr).toMatch(new RegExp(`${name} done in \\d+s · dstack logs`));
    }
  });

  it('is not submitted when the plan is declined', async () => {
    const file = configuration(home, 'no.dstack.yml', hello.replaceAll('hello', 'declined'));
    const { code } = await home.dstack(['apply', '-f', file], { input: 'n\n' });
    expect(code).toBe(0);
    expect((await home.dstack(['run', 'get', 'declined', '--json'])).code).toBe(3);
  });

  it('requires --yes when no user can answer', async () => {
    const file = configuration(home, 'eof.dstack.yml', hello.replaceAll('hello', 'unasked'));
    const { code, stderr } = await home.dstack(['apply', '-f', file], { input: '' });
    expect(code).toBe(2);
    expect(stderr).toContain('--yes');
  });

  it('fails with the exit code of its command', async () => {
    await submit(home, 'failing', ['echo before', 'exit 7']);
    const run = await untilRun(home, 'failing', isFinished);
    expect(run).toMatchObject({
      status: 'failed',
      termination_reason: 'job_failed',
      latest_job_submission: { exit_status: 7, status_message: 'exited (7)' },
    });
    expect(await home.ok('logs', 'failing')).toContain('before');
    for (const command of [['wait'], ['attach', '--logs'], ['logs', '-f']]) {
      expect((await home.dstack([...command, 'failing'])).code).toBe(7);
    }
  });

  it('ends at once when it is stopped and its process obeys', async () => {
    // A separate program: an interactive bash runs no trap for the Ctrl-C that ends its child.
    const program = 'trap "echo bye; exit 0" INT; echo ready; while :; do sleep 0.1; done';
    await submit(home, 'patient', [`sh -c '${program}'`]);
    await untilRun(home, 'patient', isRunning);
    await untilPrinted(home, 'patient', (text) => text.includes('ready'));
    await home.ok('stop', 'patient', '-y');
    const run = await untilRun(home, 'patient', isFinished);
    expect(run).toMatchObject({
      status: 'terminated',
      termination_reason: 'stopped_by_user',
      latest_job_submission: { status: 'terminated', status_message: 'stopped' },
    });
    expect(await home.ok('logs', 'patient')).toContain('bye');
  });

  it('is killed at once when it is aborted, whatever it ignores', async () => {
    await submit(home, 'stubborn', ['trap "" INT TERM HUP; while :; do sleep 0.1; done']);
    await untilRun(home, 'stubborn', isRunning);
    await home.ok('stop', 'stubborn', '-y');
    await home.ok('stop', 'stubborn', '--abort', '-y');
    expect(await untilRun(home, 'stubborn', isFinished)).toMatchObject({
      termination_reason: 'aborted_by_user',
      latest_job_submission: { status: 'aborted' },
    });
  });

  it('is refused with a reason if no slot is free', async () => {
    const sleep = ['sleep 600'];
    await submit(home, 'one', sleep);
    await submit(home, 'two', sleep);
    await Promise.all([untilRun(home, 'one', isRunning), untilRun(home, 'two', isRunning)]);
    await submit(home, 'three', sleep);
    expect(await untilRun(home, 'three', isFinished)).toMatchObject({
      status: 'failed',
      latest_job_submission: {
        termination_reason: 'failed_to_start_due_to_no_capacity',
        status_message: 'no capacity',
      },
    });
    await home.ok('stop', 'one', '--abort', '-y');
    await home.ok('stop', 'two', '--abort', '-y');
    await untilRun(home, 'one', isFinished);
    await untilRun(home, 'two', isFinished);
  });

  it('gets its environment, and the reserved names, in its process', async () => {
    await submit(
      home,
      'environment',
      ['echo "$GREETING from $DSTACK_RUN_NAME, node $DSTACK_NODE_RANK of $DSTACK_NODES_NUM"'],
      'env:\n  GREETING: good morning\n',
    );
    await untilRun(home, 'environment', isFinished);
    expect(await home.ok('logs', 'environment')).toContain(
      'good morning from environment, node 0 of 1',
    );
  });

  it('has events in the order in which they happened', async () => {
    await submit(home, 'story', ['true']);
    const { id } = await untilRun(home, 'story', isFinished);
    const events = await home.api<{ message: string }[]>('/api/events/list', {
      within_runs: [id],
      ascending: true,
    });
    const messages = events.map(({ message }) => message);
    expect(messages[0]).toBe('Run submitted. Status: SUBMITTED');
    expect(messages[1]).toBe('Job created on run submission. Status: SUBMITTED');
    const place = (text: string) => messages.findIndex((message) => message.startsWith(text));
    const order = [
      'Job assigned to instance',
      'Job status changed SUBMITTED -> PROVISIONING',
      'Job status changed PROVISIONING -> RUNNING',
      'Run status changed RUNNING -> TERMINATING. Termination reason: ALL_JOBS_DONE',
      'Job status changed RUNNING -> TERMINATING. Termination reason: DONE_BY_RUNNER',
      'Job unassigned from instance',
      'Job status changed TERMINATING -> DONE',
      'Run status changed TERMINATING -> DONE',
    ].map(place);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order).not.toContain(-1);
  });

  it('a configuration error names key, line and correction', async () => {
    const file = configuration(home, 'bad.dstack.yml', 'type: task\ncomands:\n  - true\n');
    const { code, stderr } = await home.dstack(['apply', '-f', file, '-y']);
    expect(code).toBe(1);
    expect(stderr).toContain('bad.dstack.yml:2');
    expect(stderr).toContain('commands');
  });
});

describe('an unused instance', () => {
  it('is terminated when its idle time is over', async () => {
    const home = newInstallation();
    try {
      await home.startServer();
      await applyFleet(home, '0..1', 'idle_duration: 1s\n');
      await submit(home, 'short', ['true']);
      await untilRun(home, 'short', isFinished);
      await untilInstances(home, 'default', (instances) => instances.length === 0);
    } finally {
      await home.dispose();
    }
  });
});
