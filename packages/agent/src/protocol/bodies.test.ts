import type { RepoForAgent } from '@dstack/contract/agent';
import { describe, expect, it } from 'vitest';
import { jobSpec } from '../testing/agent-harness.ts';
import { AgentError } from './agent-error.ts';
import {
  parseHostShellKeys,
  parseImagePlan,
  parseJobSpec,
  parseStart,
  parseStop,
} from './bodies.ts';

const REPO: RepoForAgent = {
  ...{ type: 'remote', dir: 'repo', exists_action: null, clone_url: 'https://host/x' },
  ...{ branch: 'main', hash: 'abc1234', single_branch: true, config_name: 'Ann' },
  ...{ config_email: null, private_key: 'a\nb\n', oauth_token: null },
  code_sha256: 'a'.repeat(64),
};
const ARCHIVE = { id: 'a1', sha256: 'b'.repeat(64), path: '~/x' };
const CLUSTER = {
  ...{ job_ips: ['10.0.0.1'], master_job_ip: '10.0.0.1', gpus_per_job: 1, gpus_per_node: [1] },
  host_keys: ['ssh-ed25519 AAAA', null],
};

const spec = jobSpec(['echo "a\nb"'], {
  env: { A: 'two\nlines' },
  server_access: true,
  user: { uid: 1000, gid: null, username: null, groupname: null },
  repo: REPO,
  file_archives: [ARCHIVE],
  mounts: [{ source: '/data', target: '/d', read_only: false, optional: true, volume: null }],
  ports: [80],
  notices: ['The volume /a is left out: it is optional'],
  authorized_keys: { user: ['ssh-ed25519 AAAA me\n'], project: [], job: [] },
  cluster: CLUSTER,
});

const parse = (more: object) => parseJobSpec({ ...spec, ...more }, spec.id);

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
    expect(() => parse(more)).toThrow(`The body is not as agreed: ${place}`);
    expect(() => parse(more)).toThrow(AgentError);
  });
});

it.each([null, undefined, 7, 'x', [], { grace: 'yes' }])('%j is no order', (body) => {
  for (const parseBody of [parseStart, parseStop, parseImagePlan]) {
    expect(() => parseBody(body)).toThrow(/^The body is not as agreed: /);
  }
});

const key = 'ssh-ed25519 AAAA alice@laptop';

it('keys that open a shell come with the names of their users', () => {
  const body = { keys: [{ user: 'alice', key }], valid_for: 60 };
  expect(parseHostShellKeys(body)).toEqual(body);
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
  expect(() => parseHostShellKeys(body)).toThrow(/: (keys|valid_for)/);
});
