import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer, type Server as HttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs git with a fixed author, and without the configuration of this computer. */
export function runGit(cwd: string, ...args: string[]): string {
  const settings = ['user.name=T', 'user.email=t@example.com', 'init.defaultBranch=main'];
  const options = settings.flatMap((setting) => ['-c', setting]);
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
  const text = execFileSync('git', [...options, ...args], { cwd, env, stdio: 'pipe' });
  return text.toString().trim();
}

/** A bare repository with one commit per entry, and a working copy that can push to it. */
export function newRepo(root: string, name: string, files: Record<string, string>): string {
  const bare = join(root, `${name}.git`);
  const work = join(root, `${name}-work`);
  runGit(root, 'init', '-q', '--bare', bare);
  runGit(bare, 'config', 'uploadpack.allowAnySHA1InWant', 'true');
  runGit(root, 'init', '-q', work);
  for (const [path, text] of Object.entries(files)) {
    writeFileSync(join(work, path), text);
    runGit(work, 'add', '.');
    runGit(work, 'commit', '-q', '-m', path);
  }
  runGit(work, 'push', '-q', bare, 'HEAD:main');
  return bare;
}

export interface HttpGit {
  /** Directory of the repositories. */
  readonly root: string;
  readonly url: string;
  close(): Promise<void>;
}

export interface GitHost extends HttpGit {
  /** Certificate of the authority that signed the host's. */
  readonly authority: string;
}

/** Git's own HTTP server, open to all callers. */
export async function startHttpGit(address = '127.0.0.1'): Promise<HttpGit> {
  const root = mkdtempSync(join(tmpdir(), 'git-host-'));
  const server = createHttpServer((request, response) => serve(root, request, response));
  return { root, ...(await listening(server, 'http', address, root)) };
}

async function listening(
  server: HttpServer | HttpsServer,
  scheme: string,
  host: string,
  root: string,
): Promise<Pick<HttpGit, 'url' | 'close'>> {
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    server.close();
    rmSync(root, { recursive: true });
  };
  return { url: `${scheme}://${host}:${port}`, close };
}

/**
 * Git's own HTTP server behind TLS; the token is the password. `address`: without it on loopback, which
 * clones for containers do not reach.
 */
export async function startHttpsGit(token: string, address?: string): Promise<GitHost> {
  const root = mkdtempSync(join(tmpdir(), 'git-host-'));
  const authority = join(root, 'cert.pem');
  const key = join(root, 'key.pem');
  const names = `subjectAltName=DNS:localhost${address ? `,IP:${address}` : ''}`;
  const subject = ['-subj', '/CN=localhost', '-addext', names];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const out = ['-keyout', key, '-out', authority, '-days', '2'];
  execFileSync('openssl', ['req', ...kind, ...out, ...subject], { stdio: 'pipe' });
  const server = createServer(
    { key: readFileSync(key), cert: readFileSync(authority) },
    (request, response) => {
      const [, login = ''] = /^Basic (.+)$/.exec(request.headers.authorization ?? '') ?? [];
      if (Buffer.from(login, 'base64').toString().split(':')[1] === token) {
        serve(root, request, response);
      } else {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      }
    },
  );
  return { root, authority, ...(await listening(server, 'https', address ?? 'localhost', root)) };
}

/** One request by CGI: variables in, headers and body out. */
function serve(root: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '/', 'https://x');
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method,
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REMOTE_USER: 'anything',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  // It may refuse without having read the request.
  backend.stdin.on('error', () => {});
  request.pipe(backend.stdin);
  const pieces: Buffer[] = [];
  backend.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  backend.on('close', () => {
    const answer = Buffer.concat(pieces);
    const end = answer.indexOf('\r\n\r\n');
    const headers = answer.subarray(0, end).toString().split('\r\n');
    let status = 200;
    for (const line of headers) {
      const [name = '', value = ''] = line.split(': ');
      if (name === 'Status') status = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.writeHead(status).end(answer.subarray(end + 4));
  });
}

export interface SshGit {
  readonly root: string;
  /** `ssh://user@localhost:port/<root>`. */
  readonly url: string;
  /** Private key that it accepts. */
  readonly key: string;
  close(): Promise<void>;
}

/** OpenSSH's server with repositories of the current user. */
export async function startSshGit(address = '127.0.0.1'): Promise<SshGit> {
  const root = mkdtempSync(join(tmpdir(), 'git-ssh-'));
  const key = join(root, 'client');
  for (const name of ['host', 'client']) {
    const args = ['-q', '-t', 'ed25519', '-N', '', '-f', join(root, name)];
    execFileSync('ssh-keygen', args);
  }
  const port = await freePort(address);
  const config = [
    `ListenAddress ${address}:${port}`,
    `HostKey ${join(root, 'host')}`,
    `AuthorizedKeysFile ${key}.pub`,
    `PidFile ${join(root, 'pid')}`,
    'StrictModes no',
    'UsePAM no',
    'PermitRootLogin yes',
    // Programs of the other side can be put here.
    `SetEnv PATH=${root}/bin:/usr/local/bin:/usr/bin:/bin`,
  ];
  writeFileSync(join(root, 'sshd_config'), `${config.join('\n')}\n`);
  mkdirSync('/run/sshd', { recursive: true });
  const args = ['-D', '-e', '-f', join(root, 'sshd_config')];
  const sshd = spawn('/usr/sbin/sshd', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  await new Promise<void>((resolve, reject) => {
    let stderr = '';
    sshd.stderr.on('data', (piece) => {
      stderr += piece;
      if (stderr.includes('listening')) resolve();
    });
    sshd.once('exit', (code) => reject(new Error(`sshd ended with ${code}: ${stderr}`)));
  });
  const close = async () => {
    const ended = once(sshd, 'exit');
    sshd.kill();
    await ended;
    rmSync(root, { recursive: true });
  };
  const user = process.env.USER || 'root';
  return { root, url: `ssh://${user}@${address}:${port}${root}`, key, close };
}

async function freePort(address: string): Promise<number> {
  const server = createTcpServer().listen(0, address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
