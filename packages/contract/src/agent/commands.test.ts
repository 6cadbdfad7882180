import { describe, expect, it } from 'vitest';
import {
  HostShellKeys,
  ImagePlan,
  JobKeys,
  JobSpecForAgent,
  Malformed,
  parseMessage,
  type RepoForAgent,
  StartJob,
  StopJob,
} from './index.ts';

const REPO: RepoForAgent = {
  ...{ type: 'remote', dir: 'repo', exists_action: null, clone_url: 'https://host/x' },
  ...{ branch: 'main', hash: 'abc1234', single_branch: true, config_name: 'Ann' },
  ...{ config_email: null, private_key: 'a\nb\n', oauth_token: null },
  code_sha256: 'a'.repeat(64),
  limits: { bytes: 10 * 2 ** 30, seconds: 1800 },
  skip_lfs: false,
};
const ARCHIVE = { id: 'a1', sha256: 'b'.repeat(64), path: '~/x' };
const CLUSTER = {
  ...{ job_ips: ['10.0.0.1'], master_job_ip: '10.0.0.1', gpus_per_job: 1, gpus_per_node: [1] },
  host_keys: ['ssh-ed25519 AAAA', null],
};

const spec: JobSpecForAgent = {
  ...{ id: '11111111-2222-4333-8444-555555555555', run_id: 'r', run_name: 'run' },
  ...{ job_name: 'run-0-0', project_name: 'main', repo_id: null },
  ...{ job_num: 0, replica_num: 0, jobs_per_replica: 1, image_name: 'busybox' },
  ...{ registry_auth: null, privileged: false, commands: [], shell_commands: ['echo "a\nb"'] },
  ...{ working_dir: null, network_mode: 'bridge', cpu_limit: null, memory_limit_bytes: null },
  ...{ shm_size_bytes: null, gpus: null, job_private_key: null, max_duration: null },
  ...{ stop_duration: 300, stop_duration_set: false, masked_values: [], hold: false },
  env: { A: 'two\nlines' },
  server_access: true,
  host_access: { repos: false, images: true },
  user: { uid: 1000, gid: null, username: null, groupname: null },
  repo: REPO,
  file_archives: [ARCHIVE],
  mounts: [{ source: '/data', target: '/d', read_only: false, optional: true, volume: null }],
  ports: [80],
  notices: ['The volume /a is left out: it is optional'],
  authorized_keys: { user: ['ssh-ed25519 AAAA me\n'], project: [], job: [] },
  cluster: CLUSTER,
};

const parse = (more: object) => parseMessage(JobSpecForAgent, { ...spec, ...more });

describe('a spec of a job', () => {
  it('is taken as servers send it', () => {
    expect(parse({})).toEqual(spec);
    expect(parse({ max_duration: undefined, added_later: 1 })).toEqual(spec);
  });

  it.each<[string, object]>([
    ['id', { id: '../../etc' }],
    ['run_name', { run_name: 'a\u001b[2J' }],
    ['env.A', { env: { A: 'x\0y' } }],
    ['env', { env: ['A=B'] }],
    ['commands[0]', { commands: [{ toString: 'x' }] }],
    ['working_dir', { working_dir: '/a\0b' }],
    ['user.uid', { user: { uid: -1 } }],
    ['user.uid', { user: { uid: 2 ** 32 - 1 } }],
    ['mounts[0].source', { mounts: [{ ...spec.mounts[0], source: ['/'] }] }],
    ['ports[0]', { ports: [70_000] }],
    ['repo.hash', { repo: { ...REPO, hash: '--upload-pack=id' } }],
    ['repo.branch', { repo: { ...REPO, branch: '-x' } }],
    ['repo.clone_url', { repo: { ...REPO, clone_url: 'file:///root' } }],
    ['repo.dir', { repo: { ...REPO, dir: null } }],
    ['repo.config_name', { repo: { ...REPO, config_name: 'a\n[core]' } }],
    ['repo.code_sha256', { repo: { ...REPO, code_sha256: '../x' } }],
    ['file_archives[0].id', { file_archives: [{ ...ARCHIVE, id: '../x' }] }],
    ['file_archives[0].path', { file_archives: [{ ...ARCHIVE, path: 7 }] }],
    ['authorized_keys.user', { authorized_keys: {} }],
    ['cluster.job_ips[0]', { cluster: { ...CLUSTER, job_ips: ['a\nHost *'] } }],
    ['cluster.host_keys[0]', { cluster: { ...CLUSTER, host_keys: ['a\nb'] } }],
    ['masked_values', { masked_values: { length: 3 } }],
    ['file_archives has more', { file_archives: Array(1001).fill(ARCHIVE) }],
  ])('is refused by the name of what is wrong: %s', (place, more) => {
    expect(() => parse(more)).toThrow(place);
    expect(() => parse(more)).toThrow(Malformed);
  });
});

it('defaults to null or nothing where an older server leaves a key out', () => {
  const { host_keys: _, ...cluster } = CLUSTER;
  expect(
    parse({
      notices: undefined,
      server_access: undefined,
      host_access: undefined,
      user: {},
      cluster,
    }),
  ).toEqual({
    ...{ ...spec, notices: null, server_access: null, host_access: null },
    user: { uid: null, gid: null, username: null, groupname: null },
    cluster: { ...cluster, host_keys: [] },
  });
});

it.each([null, undefined, 7, 'x', [], { grace: 'yes' }])('%j is no order', (body) => {
  for (const schema of [StartJob, StopJob, ImagePlan, JobKeys]) {
    expect(() => parseMessage(schema, body)).toThrow(Malformed);
  }
});

const key = 'ssh-ed25519 AAAA alice@laptop';

it('keys that open a shell come with the names of their users', () => {
  const body = { keys: [{ user: 'alice', key }], valid_for: 60 };
  expect(parseMessage(HostShellKeys, body)).toEqual(body);
});

it.each([
  { keys: [{ user: 'a\nssh-rsa BBBB', key }], valid_for: 60 },
  { keys: [{ user: 'a,b c', key }], valid_for: 60 },
  { keys: [{ user: '', key }], valid_for: 60 },
  { keys: [{ user: 'alice', key: 1 }], valid_for: 60 },
  { keys: 'ssh-rsa AAAA', valid_for: 60 },
  { keys: [], valid_for: -1 },
  { keys: [{ user: 'alice', key: `${key}\n${key}` }], valid_for: 60 },
  { keys: [] },
])('%j is no list of them', (body) => {
  expect(() => parseMessage(HostShellKeys, body)).toThrow(/^(keys|valid_for)/);
});
