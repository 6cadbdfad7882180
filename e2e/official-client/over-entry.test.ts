import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { showRun } from '../installation.ts';
import { freePort, servesAt } from '../serving.ts';
import { applyCloudFleet, newSimCloud, type SimCloud } from '../sim-cloud.ts';
import { OfficialClient, officialClient } from './official-client.ts';

const run = promisify(execFile);

const VERSIONS = ['0.22.5', '0.21.5'].map((version) => ({ version, ...officialClient(version) }));
const missing = VERSIONS.find((one) => one.missing !== null)?.missing ?? null;
if (missing) console.warn(`Official clients and the SSH entry are NOT tested: ${missing}`);

/** The machines of the simulated cloud have no sshd: the server's entry is the only way to the jobs. */
describe.skipIf(missing !== null)('machines that clients cannot reach', () => {
  let cloud: SimCloud;
  beforeAll(async () => {
    cloud = newSimCloud();
    cloud.home.env.DSTACK_SERVER_SSH_PORT = String(await freePort());
    await cloud.home.startServer();
    await applyCloudFleet(cloud.home, ['nodes: 0..2']);
  });
  afterAll(() => cloud?.home.dispose());

  it.each(VERSIONS)('are entered by the official client $version', async ({ version, path }) => {
    const { home } = cloud;
    const client = new OfficialClient(path ?? '', join(home.home, `client-${version}`));
    const project = ['--name', 'main', '--url', home.url, '--token', home.token()];
    await client.ok('project', 'add', ...project, '-y');
    const write = (name: string, commands: readonly string[], more = '') =>
      client.write(
        `${name}.dstack.yml`,
        `type: task\nname: ${name}\ncommands: ${JSON.stringify(commands)}\n${more}`,
      );
    const brief = await client.run(['apply', '-f', write('brief', ['echo the words']), '-y']);
    expect([brief.stdout, brief.code]).toEqual([expect.stringMatching(/the words\r?\n/), 0]);

    const [inside, local] = [await freePort(), await freePort()];
    const file = write('site', [servesAt(inside)], `ports: ["${local}:${inside}"]\n`);
    const session = client.start(['apply', '-f', file]);
    session.answer('y');
    await session.until(`serving http://127.0.0.1:${local}/`);
    expect((await fetch(`http://127.0.0.1:${local}/`)).status).toBe(200);
    const config = join(client.home, '.dstack', 'ssh', 'config');
    const words = 'echo "in $DSTACK_RUN_NAME"';
    expect((await run('ssh', ['-n', '-F', config, 'site', words])).stdout).toBe('in site\n');
    session.interrupt();
    await session.until('before detaching?');
    session.answer('y');
    expect((await session.ended).stdout).toContain('Stopped');
    expect((await showRun(home, 'site')).status).toBe('terminated');
  });
});
