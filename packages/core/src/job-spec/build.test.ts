import { shellQuote } from '@dstack/contract/shell';
import { describe, expect, it } from 'vitest';
import { aSpec } from '../placement/testing.ts';
import { buildJobSpecs } from './build.ts';
import { userShellCommands } from './commands.ts';
import type { ImageConfig } from './settings.ts';
import { shellSplit } from './shell.ts';

const build = (configuration: object, imageConfig: ImageConfig | null = null, group = '0') => {
  const spec = aSpec('train', { image: null, ...configuration });
  const built = buildJobSpecs(spec, {
    runName: 'train',
    replicaNum: 0,
    replicaGroup: group,
    imageConfig,
  });
  if (!built.ok) throw new Error(built.message);
  return built.jobSpecs.map((job) => ({ ...job, user_lines: userShellCommands(spec, job) }));
};
const one = (...args: Parameters<typeof build>) => build(...args)[0]!;

const IMAGE: ImageConfig = {
  entrypoint: ['/entry'],
  cmd: ['serve'],
  user: 'app:1000',
  architectures: ['x86', 'arm'],
};

describe('commands', () => {
  it('of the default image run in bash after its Python is installed', () => {
    const { commands, user_lines } = one({ commands: ['server & ', 'curl x'], python: '3.13' });
    expect(commands.slice(0, 3)).toEqual(['/bin/bash', '-i', '-c']);
    expect(commands[3]).toMatch(/uv venv .*--python 3\.13 \/dstack\/venv/);
    expect(commands[3]).toMatch(
      / && \. \/dstack\/venv\/bin\/activate && \{ server & \} && curl x$/,
    );
    expect(user_lines).toEqual(['server & ', 'curl x']);
  });

  it('of another image run in its sh, alone', () => {
    expect(one({ image: 'x', commands: ['a', 'b'] }).commands).toEqual([
      '/bin/sh',
      '-i',
      '-c',
      'a && b',
    ]);
    expect(one({ image: 'x', shell: 'bash', commands: ['a'] }).commands[0]).toBe('/bin/bash');
  });

  it('of `docker: true` start the daemon first', () => {
    const job = one({ docker: true, commands: ['docker ps'] });
    expect(job.commands).toEqual(['/bin/bash', '-i', '-c', 'start-dockerd && docker ps']);
    expect(job).toMatchObject({ image_name: 'dstackai/dind', privileged: true });
  });

  it('beside an entrypoint are its arguments, and no shell lines', () => {
    const job = one({ image: 'x', entrypoint: `python -c "print('a b')"`, commands: ['c d'] });
    expect(job.commands).toEqual(['python', '-c', "print('a b')", 'c d']);
    expect(job.user_lines).toBeNull();
  });

  it('are refused with an entrypoint longer than the kernel accepts', () => {
    const entrypoint = 'x'.repeat(140_000);
    expect(() => build({ image: 'x', entrypoint })).toThrow(/131072 characters/);
  });

  it('left out are those of the image, as its user', () => {
    const job = one({ image: 'x', commands: [] }, IMAGE);
    expect(job.commands).toEqual(['/entry', 'serve']);
    expect(job.user).toEqual({ uid: null, gid: 1000, username: 'app', groupname: null });
    expect(job.user_lines).toBeNull();
  });

  it('ignore a user of the image that no client could log in as', () => {
    const image = { ...IMAGE, user: 'root\n  ProxyCommand x' };
    expect(one({ image: 'x', commands: [] }, image).user).toBeNull();
  });

  it('stay open for an image whose configuration is unknown', () => {
    expect(one({ image: 'x', commands: [] }).commands).toEqual([]);
  });

  it('are an error if the image is known to have none', () => {
    const nothing = { ...IMAGE, entrypoint: [], cmd: [] };
    expect(() => build({ image: 'x', commands: [] }, nothing)).toThrow(/Set `commands`/);
  });

  it('of a development environment end with a wait, whatever is installed before', () => {
    const job = one({
      type: 'dev-environment',
      ide: 'vscode',
      version: 'abc',
      init: ['make'],
      image: 'x',
    });
    const script = job.commands[3]!;
    expect(script).toMatch(/\.vscode-server.*ms-python\.python.*ipykernel.* && make && /s);
    expect(script).toContain('"  vscode://vscode-remote/ssh-remote+train$DSTACK_WORKING_DIR"');
    expect(script).toMatch(/ssh train' && echo '' && tail -f \/dev\/null$/);
    expect(job.user_lines?.join()).not.toMatch(/ipykernel|vscode-server/);
    expect(job.user_lines?.at(-1)).toBe('tail -f /dev/null');
  });

  it.each([
    ['vscode', 'c0ffee', '~/.vscode-server/bin/c0ffee'],
    ['cursor', 'c0ffee', '~/.cursor-server/cli/servers/Stable-c0ffee/server'],
    ['windsurf', '1.106.0@c0ffee', '~/.windsurf-server/bin/c0ffee'],
  ])('have the server of %s %s where it looks for it', (ide, version, directory) => {
    const job = one({ type: 'dev-environment', ide, version, image: 'x' });
    expect(job.commands[3]).toContain(`dir=${directory} &&`);
  });
});

describe('images and machines', () => {
  it.each([
    [{ nvcc: true }, 'dstackai/base:0.16-devel-ubuntu24.04', 'x86'],
    [{}, 'dstackai/base:0.16-base-ubuntu24.04', 'x86'],
    [{ image: 'x' }, 'x', null],
  ])('%j is %s', (configuration, image, arch) => {
    const job = one({ commands: ['x'], ...configuration }, IMAGE);
    expect(job.image_name).toBe(image);
    expect(job.requirements.resources.cpu.arch).toBe(arch);
  });

  it('take the only architecture of an image', () => {
    const arm = { ...IMAGE, architectures: ['arm' as const] };
    expect(one({ image: 'x' }, arm).requirements.resources.cpu.arch).toBe('arm');
  });

  it('are unknown for the image name of searches for offers', () => {
    const arm = { ...IMAGE, architectures: ['arm' as const] };
    const job = one({ image: 'scratch', commands: [':'] }, arm);
    expect(job.requirements.resources.cpu.arch).toBeNull();
    expect(job.user).toBeNull();
  });
});

describe('the rest', () => {
  it("keeps the agent's own ports from users", () => {
    const { app_specs } = one({ ports: [8000, '*:10500', '80:8080'] });
    expect(app_specs).toMatchObject([
      { port: 8000, map_to_port: 8000, app_name: 'app_0' },
      { port: 8080, map_to_port: 80, app_name: 'app_1' },
    ]);
  });

  it.each([
    [true, { on_events: ['no-capacity', 'interruption', 'error'], duration: 3600 }],
    [{ on_events: ['error'] }, { on_events: ['error'], duration: 3600 }],
    [false, null],
  ])('retry %j is %j', (retry, expected) => {
    expect(one({ retry }).retry).toEqual(expected);
  });

  it('turns durations that are off into none', () => {
    expect(one({ max_duration: 'off', stop_duration: 'off' })).toMatchObject({
      max_duration: null,
      stop_duration: null,
    });
    expect(one({}).stop_duration).toBe(300);
  });

  it.each([
    ['/abs', '/abs'],
    ['sub/dir', '/workflow/sub/dir'],
    ['~/x', '~/x'],
    [null, null],
  ])('works in %s as %s', (given, expected) => {
    expect(one({ working_dir: given }).working_dir).toBe(expected);
  });

  it('numbers nodes over all groups and names volumes after them', () => {
    const jobs = build({
      image: 'x',
      commands: [],
      volumes: ['v-${{ dstack.node_rank }}:/data'],
      groups: [
        { name: 'head', nodes: 1, commands: ['a'], ports: [1] },
        { nodes: 2, commands: ['b'], resources: { gpu: 'H100:8' } },
      ],
    });
    expect(
      jobs.map((job) => [job.job_name, job.node_group_name, job.node_group_job_index]),
    ).toEqual([
      ['train-0-0', 'head', 0],
      ['train-1-0', '1', 0],
      ['train-2-0', '1', 1],
    ]);
    expect(jobs[2]).toMatchObject({
      jobs_per_replica: 3,
      app_specs: [],
      volumes: [{ name: 'v-2', path: '/data' }],
      requirements: { multinode: true, resources: { gpu: { name: ['H100'] } } },
      user_lines: ['b'],
    });
  });

  it('takes the settings of a replica group, and the others from the service', () => {
    const service = {
      type: 'service',
      port: 9000,
      commands: [],
      spot_policy: undefined,
      max_price: 5,
      groups: [
        { name: 'web', replicas: 1, commands: ['w'], image: 'web', spot_policy: 'spot' },
        { name: 'db', replicas: 1, commands: ['d'], docker: true },
      ],
    };
    expect(one(service, null, 'web')).toMatchObject({
      image_name: 'web',
      commands: ['/bin/sh', '-i', '-c', 'w'],
      service_port: 9000,
      requirements: { spot: true, max_price: 5 },
      replica_group: 'web',
    });
    expect(one(service, null, 'db')).toMatchObject({
      privileged: true,
      commands: ['/bin/bash', '-i', '-c', 'start-dockerd && d'],
      requirements: { spot: false },
    });
  });

  it('probes a model without configured probes', () => {
    const model = { type: 'service', port: 1, model: 'org/m', image: 'x' };
    expect(one(model).probes).toMatchObject([
      { url: '/v1/chat/completions', method: 'post', timeout: 30, interval: 15, ready_after: 1 },
    ]);
    expect(one({ ...model, probes: [] }).probes).toEqual([]);
    expect(one({ ...model, probes: [{ type: 'http' }] }).probes).toMatchObject([
      { url: '/', method: 'get', timeout: 10, interval: 15, until_ready: false },
    ]);
  });

  it('gives jobs with `dstack: true` the address of the server', () => {
    expect(one({ dstack: true }).env).toEqual({
      DSTACK_SERVER_URL: 'http+unix://%2Frun%2Fdstack%2Fserver.sock',
    });
  });
});

describe('shell text', () => {
  it.each([
    [`a 'b c' "d $x" e\\ f`, ['a', 'b c', 'd $x', 'e f']],
    [`"a\\"b" ''`, ['a"b', '']],
    [`it's`, null],
  ])('%s splits', (text, words) => {
    expect(shellSplit(text)).toEqual(words);
  });

  it('quoted is one word again', () => {
    for (const word of ["it's $HOME", '', 'plain', 'a b', '$(x)`y`"z"']) {
      expect(shellSplit(shellQuote(word))).toEqual([word]);
    }
  });
});
