import { lstat, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Run } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import { recordedAnswer } from '../testing/recordings.ts';
import { withDirectory } from '../testing/run-command.ts';
import { wantedPorts } from './attach-run.ts';
import {
  addHostBlocks,
  includeInUserConfig,
  removeHostBlocks,
  sshConfigPath,
  withInclude,
  withoutHosts,
} from './host-config.ts';
import { userKeyPath } from './identity.ts';
import { allocatePorts, parsePortOption } from './ports.ts';
import { type HostBlock, renderBlocks, routeTo } from './route.ts';
import { aliasValue, pathValue, portValue } from './ssh-value.ts';
import { UrlRewriter } from './url-rewriter.ts';

async function runWith(placed: object, runtime: object | null = null): Promise<Run> {
  const run = await recordedAnswer<Run>('run-get-failed', '/api/project/main/runs/get');
  const submission = run.jobs[0]?.job_submissions.at(-1);
  Object.assign(submission?.job_provisioning_data ?? {}, placed);
  Object.assign(submission ?? {}, { job_runtime_data: runtime });
  run.run_spec.run_name = 'train';
  return run;
}

function route(run: Run): { hosts: string[]; last: object | undefined } {
  const job = run.jobs[0];
  if (!job) throw new Error('no job');
  const { blocks } = routeTo(run, job, '/key');
  return { hosts: blocks.map((b) => b.host), last: blocks.at(-1)?.options };
}

const direct = { hostname: '10.0.0.1', ssh_port: 2222, username: 'ubuntu', ssh_proxy: null };
const proxy = { hostname: 'jump', port: 22, username: 'j' };

test('a container is reached through its host, on its mapped port', async () => {
  const runtime = { ports: { '10022': 32_771 }, username: 'dev' };
  const run = await runWith({ ...direct, dockerized: true }, runtime);
  expect(route(run)).toEqual({
    hosts: ['train-host', 'train'],
    last: expect.objectContaining({
      HostName: 'localhost',
      Port: '32771',
      User: 'dev',
      ProxyJump: 'train-host',
    }),
  });
});

test('a job with its own SSH server is reached directly', async () => {
  const run = await runWith({ ...direct, dockerized: false });
  expect(route(run)).toEqual({
    hosts: ['train'],
    last: expect.objectContaining({
      HostName: '10.0.0.1',
      Port: '2222',
      User: 'root',
      IdentityFile: '/key',
    }),
  });
});

test('a proxy comes first', async () => {
  const boxed = await runWith({ ...direct, dockerized: true, ssh_proxy: proxy });
  expect(route(boxed).hosts).toEqual(['train-jump-host', 'train-host', 'train']);
  const bare = await runWith({ ...direct, dockerized: false, ssh_proxy: proxy });
  expect(route(bare).last).toMatchObject({ ProxyJump: 'train-jump-host' });
});

test('the SSH proxy of the server takes precedence', async () => {
  const run = await runWith({ ...direct, dockerized: true });
  const info = {
    sshproxy_hostname: 'ssh.example.com',
    sshproxy_port: 2200,
    sshproxy_upstream_id: 'abc',
  };
  Object.assign(run.jobs[0] ?? {}, { job_connection_info: info });
  expect(route(run)).toEqual({
    hosts: ['train'],
    last: expect.objectContaining({ HostName: 'ssh.example.com', Port: '2200', User: 'abc' }),
  });
});

const block = (host: string, port: number): HostBlock => ({
  host: aliasValue(host),
  options: { Port: portValue(port, 'a host') },
});

const EVIL = 'root\n  ProxyCommand touch x';

test.each([
  [{ hostname: EVIL }, 'the address of the host is "root\\n'],
  [{ hostname: '-oProxyCommand=x' }, 'the address of the host is "-oProxyCommand=x"'],
  [{ username: EVIL }, 'the login user of the host is "root\\n'],
  [{ username: '' }, 'the login user of the host is ""'],
  [{ ssh_port: '22\n  ProxyCommand x' }, 'the SSH port of the host is "22\\n'],
  [{ ssh_proxy: { ...proxy, hostname: EVIL } }, 'the address of the jump host is "root\\n'],
  [{ ssh_proxy: { ...proxy, username: '-l' } }, 'the login user of the jump host is "-l"'],
  [{ ssh_proxy: { ...proxy, port: 0 } }, 'the SSH port of the jump host is 0'],
])('a value %j of a server is refused, and the error names it', async (placed, why) => {
  const run = await runWith({ ...direct, dockerized: true, ...placed });
  expect(() => route(run)).toThrow(
    expect.objectContaining({ why: expect.stringContaining(why) }) as Error,
  );
});

test('an invalid name of a run is refused', async () => {
  const run = await runWith({ ...direct, dockerized: false });
  for (const name of ['../../x', '-oProxyCommand=x', 'a b', 'a\nHost *', '*', 'A', '']) {
    run.run_spec.run_name = name;
    expect(() => route(run)).toThrow();
  }
});

test('invalid ports of a run are refused', async () => {
  const run = await runWith({ ...direct, dockerized: false });
  const job = run.jobs[0];
  if (!job) throw new Error('no job');
  const app = { app_name: 'a', url_path: null, url_query_params: null };
  for (const wrong of [{ port: '8000 -oX' }, { port: 70_000 }, { port: 80, map_to_port: 'x' }]) {
    job.job_spec.app_specs = [{ map_to_port: null, ...app, ...wrong } as never];
    expect(() => wantedPorts(job, [])).toThrow('an address of the run that SSH cannot use');
  }
});

test.each([
  ['/home/me/key', '/home/me/key'],
  ['/home/my key', '"/home/my key"'],
  ["/home/it's/100%", `"/home/it's/100%%"`],
  ['/home/#1', '"/home/#1"'],
])('the path %s is written as %s', (path, expected) => {
  expect(pathValue(path)).toBe(expected);
});

test.each(['/a"b', '/a\nb', '/${HOME}', '/a\\', '/a\\\\b'])(
  'the path %j cannot be written',
  (path) => {
    expect(() => pathValue(path)).toThrow('OpenSSH cannot use the path');
  },
);

test('blocks are added, replaced and removed without changing others', () =>
  withDirectory(async (home) => {
    const path = sshConfigPath(home);
    await addHostBlocks(home, [block('other', 1)]);
    await addHostBlocks(home, [block('train', 2)]);
    await addHostBlocks(home, [block('train', 3)]);
    expect(await readFile(path, 'utf8')).toBe(
      'Host other\n    Port 1\n\nHost train\n    Port 3\n\n',
    );
    await removeHostBlocks(home, [block('train', 3)]);
    expect(await readFile(path, 'utf8')).toBe(renderBlocks([block('other', 1)]));
  }));

test('text before the first host is kept', () => {
  const text = 'Compression yes\nHost a\n  Port 1\nMatch host b\n  Port 2\n';
  expect(withoutHosts(text, ['a', 'b'])).toBe('Compression yes\nMatch host b\n  Port 2\n');
});

test("our file is included in the user's configuration once, before everything else", () =>
  withDirectory(async (home) => {
    await mkdir(join(home, '.ssh'));
    await writeFile(join(home, '.ssh', 'config'), 'Host x\n  Port 1\n');
    expect(await includeInUserConfig(home)).toBeNull();
    expect(await includeInUserConfig(home)).toBeNull();
    const text = await readFile(join(home, '.ssh', 'config'), 'utf8');
    expect(text).toBe(`Include ${sshConfigPath(home)}\n\nHost x\n  Port 1\n`);
  }));

test.each([
  ['', 'Include /h/.dstack/ssh/config\n\n'],
  ['# mine\nInclude ~/.dstack/ssh/config\nHost x\n', null],
  ['Include "/h/.dstack/ssh/config"\n', null],
  [
    'Host x\n  Include /h/.dstack/ssh/config\n  Port 1\n',
    'Include /h/.dstack/ssh/config\n\nHost x\n  Port 1\n',
  ],
])('%j has the line once and before all hosts', (text, expected) => {
  expect(withInclude(text, '/h')).toBe(expected ?? text);
});

test('a linked configuration stays a link, with its mode', () =>
  withDirectory(async (home) => {
    await mkdir(join(home, '.ssh'));
    await writeFile(join(home, 'dotfile'), 'Host x\n', { mode: 0o640 });
    await symlink(join(home, 'dotfile'), join(home, '.ssh', 'config'));
    expect(await includeInUserConfig(home)).toBeNull();
    expect((await lstat(join(home, '.ssh', 'config'))).isSymbolicLink()).toBe(true);
    expect((await stat(join(home, 'dotfile'))).mode & 0o777).toBe(0o640);
    expect(await readFile(join(home, 'dotfile'), 'utf8')).toContain('Include');
  }));

test('the key file is named as the official client names it', () => {
  expect(userKeyPath('token', '/h')).toBe('/h/.dstack/ssh/ee977806');
});

test.each([
  ['8080', { local: 8080, remote: 8080, firm: true }],
  ['80:8080', { local: 80, remote: 8080, firm: true }],
  ['*:8080', { local: null, remote: 8080, firm: true }],
])('the port %s', (text, expected) => {
  expect(parsePortOption(text)).toEqual(expected);
});

test.each(['', 'a', '80:', '0', '1:70000', '1:2:3'])('the port "%s" is refused', (text) => {
  expect(() => parsePortOption(text)).toThrow('Cannot read the port');
});

test('a used port is refused if the user named it, otherwise skipped', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    await expect(
      allocatePorts([{ local: port, remote: 1, firm: true }], '127.0.0.1'),
    ).rejects.toMatchObject({
      message: `Port ${port} is already in use`,
      next: `choose another one: -p ${port + 1}:1`,
    });
    await expect(
      allocatePorts([{ local: port, remote: 1, firm: true }], '127.0.0.1', (pair) => `cmd ${pair}`),
    ).rejects.toMatchObject({ next: `choose another one: cmd ${port + 1}:1` });
    const wish = { local: port, remote: 1, firm: false };
    expect((await allocatePorts([wish], '127.0.0.1'))[0]?.local).toBeGreaterThan(port);
    const [chosen] = await allocatePorts([{ local: null, remote: port, firm: false }], '127.0.0.1');
    expect(chosen?.remote).toBe(port);
    expect(chosen?.local).toBeGreaterThan(port);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test('URLs of forwarded ports are rewritten, bytes that are not text are unchanged', () => {
  const ports = [{ local: 18_080, remote: 8080 }];
  const rewrite = (text: string, url: string | null = null): string =>
    Buffer.from(new UrlRewriter(ports, url, ['10.0.0.5']).rewrite(Buffer.from(text))).toString();
  expect(rewrite('at http://localhost:8080/x and http://10.0.0.5:8080')).toBe(
    'at http://localhost:18080/x and http://localhost:18080',
  );
  expect(rewrite('http://0.0.0.0:9999/ é')).toBe('http://0.0.0.0:9999/ é');
  expect(rewrite('http://0.0.0.0:8080/docs', 'https://s.example.com/')).toBe(
    'https://s.example.com/docs',
  );
  const binary = Uint8Array.from([0xff, 0xfe, 0x00]);
  expect(new UrlRewriter(ports, null, []).rewrite(binary)).toBe(binary);
});
