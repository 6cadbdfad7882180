import type { Installation } from '@dstack/testkit';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  applyFleet,
  dstack,
  isRunning,
  newInstallation,
  submit,
  untilRun,
} from './installation.ts';

const BROKEN = `type: task
name: broken
commands:
  - echo "reading settings"
  - cat /no/such/settings
`;

const UNTIL = { timeout: 30_000, interval: 200 };

/** Agents of users: the same session over both transports. */
describe('an agent', () => {
  let home: Installation;
  beforeAll(async () => {
    home = newInstallation();
    await home.startServer();
    await applyFleet(home);
  });
  afterAll(() => home.dispose());

  async function token(name: string, scope: string): Promise<string> {
    return (await home.ok('token', 'create', name, '--scope', scope)).trim();
  }

  async function over(transport: 'stdio' | 'http', secret: string) {
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(
      transport === 'stdio'
        ? new StdioClientTransport({
            command: dstack,
            args: ['mcp'],
            env: {
              ...(process.env as Record<string, string>),
              ...{ DSTACK_SERVER_URL: home.url, DSTACK_TOKEN: secret, DSTACK_PROJECT: 'main' },
            },
          })
        : new StreamableHTTPClientTransport(new URL(`${home.url}/mcp`), {
            requestInit: { headers: { authorization: `Bearer ${secret}` } },
          }),
    );
    onTestFinished(() => client.close());
    return async (name: string, args: object = {}) => {
      const answer = await client.callTool({ name, arguments: { ...args } });
      const [first] = answer.content as { readonly text: string }[];
      return { isError: answer.isError === true, text: first?.text ?? '' };
    };
  }

  it.each(['stdio', 'http'] as const)(
    'over %s goes from plan to logs and finds the fault',
    async (by) => {
      const call = await over(by, await token(`agent-${by}`, 'user'));
      const plan = await call('plan_run', { configuration: BROKEN });
      expect(plan.text).toContain('"price_usd_per_hour": 0');
      const applied = await call('apply_configuration', { configuration: BROKEN, confirm: true });
      expect(applied).toMatchObject({
        isError: false,
        text: expect.stringContaining('"applied": true'),
      });
      await untilRun(home, 'broken', (run) => run.status === 'failed');
      expect((await call('explain', { name: 'broken' })).text).toContain('exit status 1');
      const logs = await call('get_logs', { run: 'broken', grep: '/no/such/settings' });
      expect(logs.text).toContain('No such file or directory');
      expect((await call('list_events', { run: 'broken' })).text).toContain('Run status changed');
      const fixed = BROKEN.replace('cat /no/such/settings', 'sleep 1000');
      await call('apply_configuration', { configuration: fixed, confirm: true });
      await untilRun(home, 'broken', (run) => run.status === 'running');
      const shell = { run: 'broken', command: 'echo $((6 * 7)); exit 4', confirm: true };
      expect((await call('exec', shell)).text).toMatch(/^exit status 4\n[\s\S]*\n42\n/);
      await call('stop_run', { run: 'broken', confirm: true });
      await untilRun(home, 'broken', (run) => run.status === 'terminated');
    },
  );

  it.each(['stdio', 'http'] as const)(
    'that may only read over %s plans and starts nothing',
    async (by) => {
      const call = await over(by, await token(`reader-${by}`, 'read'));
      expect((await call('list_fleets')).text).toContain('"default"');
      expect(await call('plan_run', { configuration: BROKEN })).toMatchObject({ isError: false });
      const refused = await call('apply_configuration', { configuration: BROKEN, confirm: true });
      expect(refused.isError).toBe(true);
      expect(refused.text).toContain('may only read (scope read)');
      await submit(home, `busy-${by}`, ['sleep 1000']);
      await untilRun(home, `busy-${by}`, isRunning);
      const shell = { run: `busy-${by}`, command: 'id', confirm: true };
      expect(await call('exec', shell)).toMatchObject({
        ...{ isError: true, text: expect.stringContaining('Not allowed: ') },
      });
      await home.ok('stop', `busy-${by}`, '--abort', '-y', '--wait');
    },
  );

  it.each(['stdio', 'http'] as const)(
    'over %s keeps jobs off an instance, and sees who waits for it and what is shared',
    async (by) => {
      const call = await over(by, home.token());
      await submit(home, `first-${by}`, ['true']);
      await untilRun(home, `first-${by}`, (run) => run.status === 'done');
      await home.ok('quota', 'set', '--limit', 'runs=50', '--weight', '2');
      const [{ name }] = JSON.parse(await home.ok('instance', 'list', '--json')).instances;
      const cordon = { action: 'cordon', instances: [name], reason: 'a fan' };
      const asked = await call('instance_scheduling', cordon);
      expect(asked.text).toContain('call again with confirm: true');
      expect((await call('list_fleets')).text).not.toContain('a fan');
      const member = await over(by, await token(`member-${by}`, 'user'));
      expect(await member('instance_scheduling', { ...cordon, confirm: true })).toMatchObject({
        ...{ isError: true, text: expect.stringContaining('Not allowed: ') },
      });
      const done = await call('instance_scheduling', { ...cordon, confirm: true });
      expect(done).toMatchObject({ isError: false, text: expect.stringContaining('a fan') });
      expect((await call('list_fleets')).text).toContain('a fan');
      await submit(home, `waits-${by}`, ['true']);
      await expect
        .poll(async () => (await call('list_queue')).text, UNTIL)
        .toContain(`waits-${by}`);
      expect((await call('list_quotas')).text).toContain('1 of 50 waiting runs');
      expect((await call('list_shares')).text).toContain('"weight": 2');
      const reader = await over(by, await token(`looker-${by}`, 'read'));
      const open = { action: 'uncordon', instances: [name], confirm: true };
      expect(await reader('instance_scheduling', open)).toMatchObject({
        ...{ isError: true, text: expect.stringContaining('may only read (scope read)') },
      });
      expect((await reader('list_queue')).text).toContain(`waits-${by}`);
      expect(await call('instance_scheduling', open)).toMatchObject({ isError: false });
      await untilRun(home, `waits-${by}`, (run) => run.status === 'done');
    },
  );
});
