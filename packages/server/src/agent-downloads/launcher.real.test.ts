/**
 * The launcher in roots that contain little more than `sh`, a few small tools, and one program that can fetch a
 * file. The agent that it starts connects to the server, and proves its token.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { agentToken } from '@dstack/backends';
import { CONTAINER_LAUNCHER, LAUNCHER_VARIABLES } from '@dstack/backends/testing';
import { buildAgent } from '@dstack/testkit/built-agent';
import { makeBusyboxRoot } from '@dstack/testkit/docker';
import { copyPrograms } from '@dstack/testkit/program-image';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DialIns } from '../dial-ins/dial-ins.ts';
import { Programs } from '../hosts/ssh/programs.ts';
import { assets } from '../process/assets.ts';
import { ContainerAgents } from './agent-downloads.ts';

const USR = (...names: readonly string[]) => names.map((name) => `/usr/bin/${name}`);
const NEEDED = USR('unshare', 'busybox', 'dash', 'curl', 'openssl', 'python3', 'perl', 'bash');
const missing = process.getuid?.() === 0 ? NEEDED.find((path) => !existsSync(path)) : 'root';
if (missing && process.env.CI)
  throw new Error(`The launcher cannot be tested: ${missing} is missing`);
if (missing) console.warn(`The launcher is NOT tested: ${missing} is missing`);

/** Programs that the launcher needs besides one that fetches and one that hashes. */
const FEW = USR('dash', 'head', 'tail', 'mkdir', 'chmod', 'rm', 'mv', 'sleep', 'cat');
const NAME = 'dstack-0123456789abcdef0123';
const SECRET = 'secret';
const CONNECTED_MS = 60_000;

interface Image {
  /** Null: a static busybox with all of its tools, and nothing else. */
  readonly programs: readonly string[] | null;
  readonly data?: readonly string[];
  /** Whether it can unpack what is compressed. */
  readonly unpacks: boolean;
}

const PERL = ['x86_64-linux-gnu/perl', 'x86_64-linux-gnu/perl-base'].map(
  (one) => `/usr/lib/${one}`,
);
const IMAGES: Readonly<Record<string, Image>> = {
  'busybox alone': { programs: null, unpacks: true },
  'wget and gzip': { programs: [...FEW, ...USR('wget', 'gzip', 'sha256sum')], unpacks: true },
  'curl and openssl': { programs: [...FEW, ...USR('curl', 'openssl')], unpacks: false },
  python3: {
    ...{ programs: [...FEW, ...USR('python3')], data: ['/usr/lib/python3.11'], unpacks: true },
  },
  perl: {
    ...{ programs: [...FEW, ...USR('perl')], unpacks: false },
    data: [...PERL, '/usr/share/perl'].filter((path) => existsSync(path)),
  },
  node: { programs: [...FEW, process.execPath], unpacks: false },
  bash: { programs: [...FEW, ...USR('bash', 'sha256sum')], unpacks: false },
};

describe.skipIf(Boolean(missing))('the launcher', () => {
  let dir: string;
  let app: FastifyInstance;
  let dialIns: DialIns;
  let url: string;
  let agent: { readonly path: string; readonly sha256: string };
  let fetched: string[] = [];
  let containers: ChildProcess[] = [];
  beforeAll(async () => {
    buildAgent();
    dir = mkdtempSync(join(tmpdir(), 'launcher-'));
    const programs = new Programs({ agentDir: assets.agentBundle, cacheDir: join(dir, 'cache') });
    const secret = async () => SECRET;
    const agents = new ContainerAgents({ programs, secret });
    app = Fastify();
    app.addHook('onRequest', async (request) => void fetched.push(request.url));
    dialIns = new DialIns({
      ...{ kinds: [(name) => name === NAME], secret },
      addressOf: ({ socket }) => socket.remoteAddress ?? '',
    });
    dialIns.route(app);
    agents.route(app);
    agent = await agents.agent('x64');
    await app.listen({ host: '127.0.0.1', port: 0 });
    url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    fetched = [];
    for (const one of containers) {
      if (one.exitCode !== null || one.signalCode !== null) continue;
      const ended = once(one, 'close');
      one.kill('SIGKILL');
      await ended;
    }
    containers = [];
  });
  afterAll(async () => {
    dialIns?.close();
    await app?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  async function rootOf({ programs, data = [] }: Image): Promise<string> {
    const root = mkdtempSync(join(dir, 'root-'));
    if (programs === null) makeBusyboxRoot(root);
    else {
      await copyPrograms(root, programs, { data });
      mkdirSync(join(root, 'bin'));
      symlinkSync('/usr/bin/dash', join(root, 'bin/sh'));
      if (programs.includes(process.execPath))
        symlinkSync(process.execPath, join(root, 'bin/node'));
    }
    for (const folder of ['tmp', 'proc', 'dev']) mkdirSync(join(root, folder), { recursive: true });
    return root;
  }

  /** A container without a network of its own. Its first process is the launcher. */
  async function launch(image: Image, change: Readonly<Record<string, string>> = {}) {
    const root = await rootOf(image);
    const inside = `mount -t proc proc ${root}/proc; mount --rbind /dev ${root}/dev; exec /usr/sbin/chroot ${root} /bin/sh "$@"`;
    const launcher = [
      '-c',
      CONTAINER_LAUNCHER,
      'sh',
      `ws${url.slice(4)}/api/agents/dial/${NAME}`,
      'server',
    ];
    const child = spawn(
      'unshare',
      ['--mount', '--pid', '--fork', '--kill-child', '/bin/sh', '-c', inside, 'sh', ...launcher],
      {
        env: {
          PATH: '/usr/local/bin:/usr/bin:/usr/sbin:/bin',
          [LAUNCHER_VARIABLES.url]: `${url}${agent.path}`,
          [LAUNCHER_VARIABLES.sha256]: agent.sha256,
          [LAUNCHER_VARIABLES.token]: agentToken(SECRET, NAME),
          ...change,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    containers.push(child);
    let output = '';
    const note = (chunk: Buffer) => {
      output += chunk.toString();
    };
    child.stdout.on('data', note);
    child.stderr.on('data', note);
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    return { root, exited, output: () => output };
  }

  it.each(Object.entries(IMAGES))('starts the agent in an image with %s', async (_, image) => {
    const { output } = await launch(image);
    const connection = await dialIns.take(NAME, CONNECTED_MS);
    expect(connection, output()).not.toBeNull();
    connection?.destroy();
    expect(fetched).toContain(`${agent.path}${image.unpacks ? '.gz' : ''}`);
  });

  it('names what an image lacks that can fetch nothing, and ends', async () => {
    const { exited, output } = await launch({ programs: FEW, unpacks: false });
    expect(await exited).toBe(78);
    expect(output()).toContain('dstack: the image has none of curl, wget, python3, perl and node');
  });

  it.each(['busybox alone', 'curl and openssl'] as const)(
    'starts the agent of a server that was upgraded since the order, in an image with %s',
    async (name) => {
      const image = IMAGES[name] ?? { programs: null, unpacks: true };
      const former = agent.path.replace(/x64-[0-9a-f]{32}/, `x64-${'0'.repeat(32)}`);
      const { output } = await launch(image, {
        [LAUNCHER_VARIABLES.url]: `${url}${former}`,
        [LAUNCHER_VARIABLES.sha256]: '0'.repeat(64),
      });
      const connection = await dialIns.take(NAME, CONNECTED_MS);
      expect(connection, output()).not.toBeNull();
      connection?.destroy();
      expect(fetched).toContain(`${former}/${NAME}`);
    },
  );

  it('never runs what has another hash, and takes another hash from its own server only', async () => {
    const { output, root } = await launch(
      { programs: null, unpacks: true },
      {
        [LAUNCHER_VARIABLES.sha256]: 'f'.repeat(64),
        [LAUNCHER_VARIABLES.token]: agentToken('of another server', NAME),
      },
    );
    while (!fetched.includes(`${agent.path}/${NAME}`)) await new Promise(setImmediate);
    while (fetched.filter((path) => path === `${agent.path}.gz`).length < 2) {
      await new Promise(setImmediate);
    }
    while (!output().includes('is not the agent')) await new Promise(setImmediate);
    expect(existsSync(join(root, 'dstack/node'))).toBe(false);
    // The end of the address is secret.
    expect(output()).not.toContain(agent.path);
  });
});

describe.skipIf(Boolean(missing))('the download of the agent', () => {
  it('is unknown to callers without its address', async () => {
    const app = Fastify();
    const programs = { node: never, libraries: never, agent: never };
    new ContainerAgents({ programs, secret: async () => SECRET }).route(app);
    const name = `x64-${'0'.repeat(64)}`;
    for (const path of ['x64', name, `${name}.gz`, `${name}/${NAME}`, `${name}.gz/${NAME}`]) {
      const { statusCode } = await app.inject(`/api/agents/program/${path}`);
      expect(statusCode).toBe(404);
    }
    await app.close();
  });
});

/** Strangers must not make the server read anything. */
function never(): never {
  throw new Error('nothing may be read');
}
