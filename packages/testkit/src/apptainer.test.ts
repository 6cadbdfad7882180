/** The fake against what Apptainer documents (version 1.3). */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FakeContainer, writeFakeApptainer } from './apptainer.ts';

let dir: string;
let program: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'fake-apptainer-'));
  mkdirSync(join(dir, 'data'));
  program = writeFakeApptainer(dir);
});
afterAll(() => rmSync(dir, { recursive: true }));

const HOST = { HOME: '/home/me', PATH: '/opt/bin:/usr/bin:/bin', TOKEN: 'of the host' };

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync(program, ['exec', ...args], { env: { ...HOST, ...env }, encoding: 'utf8' });
}

function container(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { stdout, stderr } = run([...args, 'docker://busybox:1', 'env', '-0'], env);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as FakeContainer;
}

describe('the fake of Apptainer', () => {
  it('passes the variables of the host, with a PATH of the container, unless an option forbids it', () => {
    expect(container([]).env).toMatchObject({ HOME: '/home/me', TOKEN: 'of the host' });
    expect(container([]).env.PATH).not.toContain('/opt/bin');
    for (const option of ['--cleanenv', '-e', '--containall', '-C']) {
      expect(Object.keys(container([option]).env).sort()).toEqual(['HOME', 'PATH']);
    }
  });

  it('sets the variables with the prefix, also in a clean environment', () => {
    expect(container(['-C'], { APPTAINERENV_RANK: 'a "b" c' }).env.RANK).toBe('a "b" c');
  });

  it('lets a shell evaluate the values of these, unless an option forbids it', () => {
    const env = { APPTAINERENV_WHERE: '$HOME and $(echo more)' };
    expect(container(['-C'], env).env.WHERE).toBe('/home/me and more');
    expect(container(['-C', '--no-eval'], env).env.WHERE).toBe('$HOME and $(echo more)');
    const byVariable = container(['-C'], { ...env, APPTAINER_NO_EVAL: '1' });
    expect(byVariable.env.WHERE).toBe('$HOME and $(echo more)');
  });

  it('binds lists of paths, read-only where that is asked for', () => {
    const data = join(dir, 'data');
    expect(container(['--bind', `${data}:/mnt:ro,${dir}`, '-B', `${data}:/other`]).mounts).toEqual([
      { source: data, target: '/mnt', option: 'ro' },
      { source: dir, target: dir, option: 'rw' },
      { source: data, target: '/other', option: 'rw' },
    ]);
  });

  it('takes the login of the registry from variables', () => {
    const login = { APPTAINER_DOCKER_USERNAME: 'me', APPTAINER_DOCKER_PASSWORD: "a b'$c" };
    expect(container([], login).login).toEqual({ user: 'me', password: "a b'$c" });
    expect(container([]).login).toBeNull();
  });

  it('ends the options where the image begins', () => {
    const { image, argv, options } = container(['--nv', '--fakeroot', '--no-home']);
    expect([image, argv, options]).toEqual([
      ...['docker://busybox:1', ['env', '-0'], ['fakeroot', 'no-home', 'nv']],
    ]);
  });

  it.each([
    ['an option that is not known', ['--privileged', 'docker://a', 'b'], 1, /unknown flag/],
    ['a missing command', ['docker://a'], 1, /at least 2 arg/],
    ['a source that is not there', ['-B', '/nowhere:/x', 'docker://a', 'b'], 255, /doesn't exist/],
    ['an image without a source', ['busybox:1', 'b'], 255, /could not open image/],
  ])('refuses %s', (_, args, code, message) => {
    const { status, stderr } = run(args);
    expect(status).toBe(code);
    expect(stderr).toMatch(message);
  });
});
