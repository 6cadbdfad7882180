import type { Installation } from '@dstack/testkit';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { TestRegistry } from '@dstack/testkit/registry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dockerInstallation } from './docker.ts';
import { applyFleet, configuration, isFinished, untilRun } from './installation.ts';

const missing = dockerMissing();
if (missing) console.warn(`Images of a registry are NOT tested: ${missing} is missing`);

interface Plan {
  readonly job_plans: readonly {
    readonly job_spec: { readonly commands: readonly string[]; readonly user: object | null };
  }[];
}

describe.skipIf(missing !== null)('an image in a registry that the server can reach', () => {
  let engine: TestDocker;
  let registries: readonly TestRegistry[];
  let home: Installation;
  let host: string;
  beforeAll(async () => {
    engine = await startDocker();
    const layers = [engine.busyboxTar()];
    // One for the server and one in the daemon's network, with equal contents: both are at
    // `127.0.0.1`.
    const outer = await TestRegistry.start({ access: 'bearer' });
    const inner = await TestRegistry.start({
      access: 'bearer',
      port: outer.port,
      networkOf: engine.pid,
    });
    registries = [outer, inner];
    host = outer.host;
    const greeter = { Entrypoint: ['/bin/echo'], Cmd: ['from', 'the image'], User: 'alice' };
    for (const registry of registries) {
      registry.add('greeter:1', { layers, config: greeter });
      registry.add('empty:1', { layers });
    }
    home = dockerInstallation(engine, { DSTACK_SERVER_OUTGOING_ALLOW: 'loopback' });
    await home.startServer();
    await applyFleet(home, '0..2');
    await home.ok('secret', 'set', 'password', 'secret');
  });
  afterAll(async () => {
    await home?.dispose();
    await Promise.all((registries ?? []).map((registry) => registry.close()));
    await engine?.close();
  });

  const task = (name: string, image: string) => ({
    type: 'task',
    name,
    image: `${host}/${image}`,
    registry_auth: { username: 'user', password: '${{ secrets.password }}' },
    resources: { gpu: 0 },
  });
  const plan = (name: string, image: string) =>
    home.api<Plan>('/api/project/main/runs/get_plan', {
      run_spec: { configuration: task(name, image) },
    });

  it('determines the command and the user in the plan', async () => {
    const [job] = (await plan('greeter', 'greeter:1')).job_plans;
    expect(job?.job_spec).toMatchObject({
      commands: ['/bin/echo', 'from', 'the image'],
      user: { username: 'alice' },
    });
  });

  it('runs as planned', async () => {
    const yaml = JSON.stringify(task('greeter', 'greeter:1'));
    await home.ok('apply', '-f', configuration(home, 'greeter.dstack.yml', yaml), '-y', '-d');
    const run = await untilRun(home, 'greeter', isFinished);
    expect(run.status).toBe('done');
    expect(await home.ok('logs', 'greeter')).toContain('from the image');
  });

  it('is refused at once if it has no command', async () => {
    await expect(plan('empty', 'empty:1')).rejects.toThrow(/400.*commands/s);
  });
});
