import { LOCAL_PROCESS_INSTANCE } from '@dstack/core';
import { anOffer, instanceRecord, jobRecord, runRecord } from '@dstack/core/testing';
import { describe, expect, it } from 'vitest';
import { type AgentJobInput, agentJobSpec, imageName, registryAuth } from './agent-job-spec.ts';
import { JobSpecError } from './named-secrets.ts';

interface Parts {
  readonly configuration?: object;
  /** Fields that replace those of the job's specification. */
  readonly spec?: object;
  readonly runtimeData?: object;
  readonly resumeCount?: number;
  readonly offerName?: string;
  readonly input?: Partial<AgentJobInput>;
}

function specOf({
  configuration,
  spec,
  runtimeData,
  resumeCount = 0,
  offerName = 'vm',
  input,
}: Parts = {}) {
  const run = runRecord({
    spec: { run_name: 'train', configuration: { type: 'task', ...configuration } } as never,
  });
  const job = jobRecord({
    runtimeData: (runtimeData ?? null) as never,
    resumeCount,
    spec: {
      ...{ job_num: 0, replica_num: 0, job_name: 'train-0-0', image_name: 'busybox', commands: [] },
      ...{ env: {}, file_archives: [], requirements: { resources: {} }, ...spec },
    } as never,
  });
  return agentJobSpec({
    ...{ run, job, instance: instanceRecord({ offer: anOffer({ name: offerName }) }) },
    ...{ projectName: 'main', projectPublicKey: 'project key', userKeys: [], nodeKey: null },
    ...{ secrets: {}, repoCreds: null, archiveHashes: {}, fleetEnv: {}, shellCommands: null },
    ...{ routerAddress: null, loopback: false, cloneLimits: { bytes: null, seconds: null } },
    ...{ volumes: [], defaultRegistry: null, token: null, hold: false, cluster: null, ...input },
  });
}

it('a job receives the number of its interruptions, unless it sets that itself', () => {
  const own = { DSTACK_RUN_RESUME_COUNT: '7' };
  expect(specOf({ resumeCount: 2 }).env).toEqual({ DSTACK_RUN_RESUME_COUNT: '2' });
  expect(specOf({ resumeCount: 2, spec: { env: own } }).env).toEqual(own);
});

describe('commands', () => {
  const commands = ['echo $${{ groups[0].nodes[0].IP_ADDRESS }}', 'echo $$'];
  const shellCommands = commands;

  it('that mention no address lose the escape, because they are run as they are sent', () => {
    const run = ['echo ${{ groups[0].nodes[0].IP_ADDRESS }}', 'echo $$'];
    const sent = specOf({ spec: { commands }, input: { shellCommands } });
    expect(sent).toMatchObject({ commands: run, shell_commands: run });
  });

  it('of a job that is held keep it until its start, where addresses are filled in', () => {
    const sent = specOf({ spec: { commands }, input: { shellCommands, hold: true } });
    expect(sent).toMatchObject({ commands, shell_commands: commands, hold: true });
  });
});

describe('the image', () => {
  it.each([
    ['busybox', null, 'busybox'],
    ['busybox', 'mirror.corp', 'mirror.corp/busybox'],
    ['team/tool:1', 'mirror.corp:5000', 'mirror.corp:5000/team/tool:1'],
    ['ghcr.io/team/tool', 'mirror.corp', 'ghcr.io/team/tool'],
    ['localhost/tool', 'mirror.corp', 'localhost/tool'],
  ])('%s with the default registry %j is %s', (image_name, registry, name) => {
    expect(imageName({ image_name }, registry)).toBe(name);
    const input = { defaultRegistry: registry };
    expect(specOf({ spec: { image_name }, input }).image_name).toBe(name);
  });

  it('is pulled with the credentials that the job names, secrets filled in', () => {
    const registry_auth = { username: '${{ secrets.user }}', password: 'x${{ secrets.pass }}' };
    const secrets = { user: 'me', pass: 'long secret' };
    expect(registryAuth({ registry_auth }, secrets)).toEqual({
      ...{ username: 'me', password: 'xlong secret' },
    });
    expect(registryAuth({}, secrets)).toBeNull();
    expect(() => registryAuth({ registry_auth }, {})).toThrow(JobSpecError);
  });
});

describe('resources', () => {
  it('are the whole instance unless blocks were claimed', () => {
    expect(specOf()).toMatchObject({
      ...{ network_mode: 'bridge', cpu_limit: null, memory_limit_bytes: null, gpus: null },
      shm_size_bytes: null,
    });
  });

  it('are those of the blocks that the job claimed, in bytes', () => {
    const runtimeData = { network_mode: 'host', cpu: 2, memory: 1.5, gpu: 1 };
    const spec = { requirements: { resources: { shm_size: 0.5 } } };
    expect(specOf({ runtimeData, spec })).toMatchObject({
      ...{ network_mode: 'host', cpu_limit: 2, memory_limit_bytes: 1.5 * 2 ** 30, gpus: 1 },
      shm_size_bytes: 2 ** 29,
    });
  });
});

describe('the user', () => {
  const user = { uid: 7, gid: null, username: null, groupname: null };

  it('of an image counts in a container, and the one that the configuration names everywhere', () => {
    expect(specOf({ spec: { user } }).user).toEqual(user);
    const named = { configuration: { user: '7' }, spec: { user } };
    expect(specOf({ ...named, offerName: LOCAL_PROCESS_INSTANCE }).user).toEqual(user);
  });

  it('of an image does not apply without the image', () => {
    expect(specOf({ spec: { user }, offerName: LOCAL_PROCESS_INSTANCE }).user).toBeNull();
  });
});

describe('required inputs of the job', () => {
  it('are in the spec: directories of the machine, archives by their hash, its repo', () => {
    const spec = {
      volumes: [{ instance_path: '/data', path: '/mnt' }],
      file_archives: [{ id: 'a', path: '/code' }],
      repo_data: { repo_type: 'remote', repo_branch: 'main', repo_hash: 'abc' },
      repo_dir: '/workflow',
    };
    const repoCreds = { clone_url: 'https://git.test/x', private_key: null, oauth_token: 'token' };
    const sent = specOf({ spec, input: { archiveHashes: { a: 'sha' }, repoCreds } });
    expect(sent.mounts).toEqual([
      { source: '/data', target: '/mnt', read_only: false, optional: false, volume: null },
    ]);
    expect(sent.file_archives).toEqual([{ id: 'a', path: '/code', sha256: 'sha' }]);
    expect(sent.repo).toMatchObject({ clone_url: 'https://git.test/x', branch: 'main' });
    expect(sent.masked_values).toEqual(['token']);
  });

  it.each([
    ['a volume', { volumes: [{ name: 'data', path: '/data' }] }, 'volume data cannot be mounted'],
    ['an archive', { file_archives: [{ id: 'a', path: '/x' }] }, 'uploaded archive a not found'],
    ['its repo', { repo_data: { repo_type: 'remote' } }, 'credentials of repo'],
  ])('is an error where it is missing: %s', (_what, spec, why) => {
    expect(() => specOf({ spec })).toThrow(JobSpecError);
    expect(() => specOf({ spec })).toThrow(why);
  });
});

it('the time that a stop may take is sent, and whether the user has set it', () => {
  const byDefault = specOf({ spec: { stop_duration: 300 } });
  expect(byDefault).toMatchObject({ stop_duration: 300, stop_duration_set: false });
  const set = specOf({ configuration: { stop_duration: 60 }, spec: { stop_duration: 60 } });
  expect(set).toMatchObject({ stop_duration: 60, stop_duration_set: true });
});

describe('the clone of a repo', () => {
  const cloneLimits = { bytes: 2 ** 30, seconds: 60 };
  const repoOf = (env: Record<string, string>) =>
    specOf({
      spec: { env, repo_data: { repo_type: 'virtual' }, repo_dir: '.' } as never,
      input: { cloneLimits },
    }).repo;

  it('has the limits of the server', () => {
    expect(repoOf({})).toMatchObject({ limits: cloneLimits, skip_lfs: false });
  });

  it('keeps the pointers of Git LFS if the run sets the variable of git-lfs for it', () => {
    expect(repoOf({ GIT_LFS_SKIP_SMUDGE: '1' })).toMatchObject({ skip_lfs: true });
    expect(repoOf({ GIT_LFS_SKIP_SMUDGE: '0' })).toMatchObject({ skip_lfs: false });
  });
});
