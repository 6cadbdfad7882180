import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { OutgoingRefused } from '../../outgoing/outgoing-error.ts';
import { OutgoingRules } from '../../outgoing/outgoing-rules.ts';
import { gitTemplates } from './git-templates.ts';

let root: string;
const servers: Server[] = [];

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'templates-host-'));
  const work = join(root, 'work');
  mkdirSync(join(work, '.dstack', 'templates', 'deep'), { recursive: true });
  const write = (name: string, content: string) =>
    writeFileSync(join(work, '.dstack', 'templates', name), content);
  write('b.yml', 'b: 1\n');
  write('a.yaml', 'a: 1\n');
  write('note.txt', 'none');
  write('deep/c.yml', 'none');
  write('large.yml', 'x'.repeat(300 * 1024));
  execFileSync('ln', ['-s', '/etc/hostname', join(work, '.dstack/templates/link.yml')]);
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
  const git = (...args: string[]) => execFileSync('git', args, { cwd: work, env });
  git('-c', 'init.defaultBranch=main', 'init', '-q');
  git('add', '.');
  git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qm', 'first');
  git('clone', '-q', '--bare', '.', join(root, 'repo.git'));
});
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(root, { recursive: true, force: true });
});

async function host(address: string, handler = serve) {
  const seen = { connections: 0 };
  const server = createServer((request, response) => void handler(request, response));
  servers.push(server);
  server.on('connection', () => {
    seen.connections += 1;
  });
  server.listen(0, address);
  await once(server, 'listening');
  return { url: `http://${address}:${(server.address() as AddressInfo).port}`, seen };
}

/** Git's own server, by CGI. */
async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, search } = new URL(request.url ?? '/', 'http://x');
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      ...{ GIT_PROJECT_ROOT: root, GIT_HTTP_EXPORT_ALL: '1', PATH_INFO: pathname },
      ...{ REQUEST_METHOD: request.method, QUERY_STRING: search.slice(1) },
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  backend.stdin.on('error', () => {});
  request.pipe(backend.stdin);
  const answer = await buffer(backend.stdout);
  const end = answer.indexOf('\r\n\r\n');
  for (const line of answer.subarray(0, end).toString().split('\r\n')) {
    const [name = '', value = ''] = line.split(': ');
    if (name !== 'Status') response.setHeader(name, value);
  }
  response.end(answer.subarray(end + 4));
}

const templates = (allowed: readonly string[], own: string | null = null) =>
  gitTemplates({ rules: new OutgoingRules(allowed), own });

describe('templates of a Git host', () => {
  it('are its plain YAML files in the folder, up to the size limit', async () => {
    const { url } = await host('127.0.0.1');
    const source = templates(['127.0.0.1']);
    await source.probe(`${url}/repo.git`);
    expect(await source.read(`${url}/repo.git`)).toEqual(['a: 1\n', 'b: 1\n']);
  });

  it('are never requested inside the network, not even through a redirect', async () => {
    const inside = await host('127.0.0.2');
    const outside = await host('127.0.0.1', async (request, response) => {
      response.writeHead(302, { location: `${inside.url}${request.url}` }).end();
    });
    for (const url of [inside.url, outside.url]) {
      const read = templates(['127.0.0.1']).read(`${url}/repo.git`);
      await expect(read).rejects.toThrow(OutgoingRefused);
      await expect(read).rejects.toThrow(/127\.0\.0\.2 is not an address of the public Internet/);
    }
    expect(inside.seen.connections).toBe(0);
  });

  it.each([
    'ssh://git@127.0.0.1/repo.git',
    'git@127.0.0.1:repo.git',
    'git://127.0.0.1/repo.git',
    'file:///etc',
    '/etc',
    'ext::sh -c true',
    '--upload-pack=true',
  ])('are not requested over %s', async (url) => {
    await expect(templates(['loopback']).probe(url)).rejects.toThrow(OutgoingRefused);
  });

  it('are read without the server’s own configuration and credentials', async () => {
    const received: (string | undefined)[] = [];
    const { url } = await host('127.0.0.1', async ({ headers }, response) => {
      received.push(headers.authorization);
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
    });
    const home = join(root, 'home');
    mkdirSync(home);
    const helper = `!touch ${join(root, 'helper-was-run')}; echo username=me; echo password=secret;:`;
    writeFileSync(join(home, '.gitconfig'), `[credential]\n\thelper = "${helper}"\n`);
    writeFileSync(join(home, '.netrc'), 'machine 127.0.0.1 login me password secret\n');
    vi.stubEnv('HOME', home);
    try {
      await expect(templates(['127.0.0.1']).probe(`${url}/repo.git`)).rejects.toThrow();
      expect([existsSync(join(root, 'helper-was-run')), received]).toEqual([false, [undefined]]);
      // The operator's own repository is read with the operator's permissions.
      await expect(templates([], `${url}/repo.git`).probe(`${url}/repo.git`)).rejects.toThrow();
      expect(received.at(-1)).toBe(`Basic ${Buffer.from('me:secret').toString('base64')}`);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});
