import { describe, expect } from 'vitest';
import { isFinished, isRunning, showRun, untilRun } from '../../installation.ts';
import type { Flow } from '../suite.ts';
import { STAYING, task } from './configurations.ts';

export function runFlows(flow: Flow): void {
  describe('runs', () => {
    flow('a task is applied attached, with its output', async ({ client }) => {
      const file = task(client, 'hello', ['echo hello from $DSTACK_RUN_NAME']);
      const { code, stdout } = await client.run(['apply', '-f', file, '-y']);
      expect(stdout).toContain('hello provisioning completed');
      expect(stdout).toMatch(/^hello from hello\r?$/m);
      expect(stdout).toContain('Exited (0)');
      expect(code).toBe(0);
    });

    flow('the name of a finished run can be used again', async ({ client, server }) => {
      const before = await showRun(server, 'hello');
      const file = task(client, 'hello', ['echo once more']);
      expect(await client.ok('apply', '-f', file, '-y')).toMatch(/^once more\r?$/m);
      expect((await showRun(server, 'hello')).id).not.toBe(before.id);
    });

    flow('a long output arrives whole and in order', async ({ client }) => {
      const file = task(client, 'talkative', ['seq -f "line %g" 5000']);
      const applied = await client.ok('apply', '-f', file, '-y');
      const lines = applied.split(/\r?\n/).filter((line) => /^line \d+$/.test(line));
      expect(lines).toEqual(Array.from({ length: 5000 }, (_, i) => `line ${i + 1}`));
    });

    flow('a plan that is declined submits nothing', async ({ client }) => {
      const file = task(client, 'declined', ['true']);
      const { code, stdout } = await client.run(['apply', '-f', file], { input: 'n\n' });
      expect(code).toBe(0);
      expect(stdout).toContain('Submit the run declined?');
      expect(stdout).toContain('Exiting');
      expect((await client.run(['run', 'get', 'declined', '--json'])).code).toBe(1);
    });

    flow('a plan is confirmed interactively with -d', async ({ client, server }) => {
      const file = task(client, 'confirmed', ['echo later']);
      const { code, stdout } = await client.run(['apply', '-f', file, '-d'], { input: 'y\n' });
      expect(code).toBe(0);
      expect(stdout).toContain('Run confirmed submitted, detaching');
      await untilRun(server, 'confirmed', isFinished);
      expect(await client.ok('logs', 'confirmed')).toContain('later');
    });

    flow('a run without a name gets one', async ({ client }) => {
      const file = client.write(
        'nameless.dstack.yml',
        'type: task\ncommands: [echo who am I]\nresources: {gpu: 0}\n',
      );
      const applied = await client.ok('apply', '-f', file, '-y');
      expect(applied).toMatch(/[a-z]+-[a-z]+-\d+ provisioning completed/);
      expect(applied).toContain('who am I');
    });

    flow('a failed task ends with 1 and prints its exit code', async ({ client }) => {
      const file = task(client, 'failing', ['echo about to fail', 'exit 7']);
      const { code, stdout } = await client.run(['apply', '-f', file, '-y']);
      expect(code).toBe(1);
      expect(stdout).toContain('Exited (7)');
      expect(await client.ok('ps', '-a')).toMatch(/failing .*exited \(7\)/);
      expect(await client.ok('logs', 'failing')).toContain('about to fail');
    });

    flow('a run without a matching offer fails with "no capacity"', async ({ client }) => {
      const file = client.write(
        'huge.dstack.yml',
        'type: task\nname: huge\ncommands: ["true"]\nresources: {gpu: "H100:8"}\n',
      );
      const { code, stdout } = await client.run(['apply', '-f', file, '-y']);
      expect(code).toBe(1);
      expect(stdout).toContain('no capacity');
      expect(await client.ok('ps', '-a')).toMatch(/huge .*no capacity/);
    });

    flow('an unchanged active run is left alone without --force', async ({ client, server }) => {
      const file = task(client, 'active', STAYING);
      await client.ok('apply', '-f', file, '-y', '-d');
      const { id } = await untilRun(server, 'active', isRunning);
      const again = await client.ok('apply', '-f', file, '-y', '-d');
      expect(again).toContain('Active run active already exists. Detected no changes.');
      expect(again).toContain('Use --force to apply anyway.');
      expect((await showRun(server, 'active')).id).toBe(id);
    });

    flow('an active run is kept when its replacement is declined', async ({ client, server }) => {
      const { id } = await showRun(server, 'active');
      const changed = task(client, 'active', ['echo changed']);
      const { code, stdout } = await client.run(['apply', '-f', changed], { input: 'n\n' });
      expect(code).toBe(0);
      expect(stdout).toContain('cannot be updated in-place');
      expect(stdout).toContain('Stop and override the run?');
      expect(await showRun(server, 'active')).toMatchObject({ id, status: 'running' });
    });

    flow('an active run is stopped and replaced', async ({ client, server }) => {
      const { id } = await showRun(server, 'active');
      const changed = task(client, 'active', ['echo changed']);
      expect(await client.ok('apply', '-f', changed, '-y')).toMatch(/^changed\r?$/m);
      expect(await showRun(server, 'active')).toMatchObject({ status: 'done' });
      expect((await showRun(server, 'active')).id).not.toBe(id);
    });

    flow('the environment comes from file, command line and secrets', async ({ client }) => {
      await client.ok('secret', 'set', 'greeting', 'good-morning');
      const lines = [
        'env:',
        '  - FROM_CLI',
        '  - FROM_FILE=file',
        '  - SECRET=${{ secrets.greeting }}',
      ];
      const commands = ['echo "$FROM_CLI $FROM_FILE ${#SECRET}"', 'echo "$SECRET"'];
      const file = task(client, 'environment', commands, lines.join('\n'));
      const applied = await client.ok('apply', '-f', file, '-y', '-e', 'FROM_CLI=line');
      expect(applied).toContain('line file 12');
      // The value of a secret is masked wherever a job prints it.
      expect(applied).not.toContain('good-morning');
      await client.ok('secret', 'delete', 'greeting', '-y');
    });

    flow('an unset variable and an unknown secret are refused', async ({ client }) => {
      const unset = task(client, 'unset', ['true'], 'env: [NOT_SET_ANYWHERE]');
      const refused = await client.run(['apply', '-f', unset, '-y']);
      expect(refused.code).toBe(1);
      expect(refused.stdout).toContain('NOT_SET_ANYWHERE');
      const file = task(client, 'unknown-secret', ['true'], 'env: ["A=${{ secrets.nosuch }}"]');
      const { code } = await client.run(['apply', '-f', file, '-y']);
      expect(code).toBe(1);
    });

    flow('files and folders are uploaded', async ({ client }) => {
      client.write('data/inner/deep.txt', 'deep content\n');
      client.write('note.txt', 'a note\n');
      const more = 'files:\n  - note.txt\n  - data:renamed\n';
      const commands = ['cat note.txt', 'cat renamed/inner/deep.txt'];
      const applied = await client.ok('apply', '-f', task(client, 'filed', commands, more), '-y');
      expect(applied).toMatch(/^a note\r?$/m);
      expect(applied).toMatch(/^deep content\r?$/m);
    });

    flow('an invalid configuration is refused with the name of the key', async ({ client }) => {
      const file = client.write('wrong.dstack.yml', 'type: task\nname: wrong\ncomands: ["true"]\n');
      const { code, stdout, stderr } = await client.run(['apply', '-f', file, '-y']);
      expect(code).toBe(1);
      expect(stdout + stderr).toContain('comands');
    });

    flow('a run is deleted by its file', async ({ client }) => {
      const deleted = await client.ok('delete', '-f', 'hello.dstack.yml', '-y');
      expect(deleted).toContain('Run hello deleted');
      expect((await client.run(['run', 'get', 'hello', '--json'])).code).toBe(1);
      expect((await client.run(['delete', '-f', 'hello.dstack.yml', '-y'])).code).toBe(1);
    });
  });
}
