/** `JobStarter`, in addition to `start-job.test.ts`: the steps after the spec, and held jobs. */
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { JobRecord } from '@dstack/core';
import {
  anOffer,
  instanceRecord,
  jobRecord,
  provisioningDataFor,
  runRecord,
} from '@dstack/core/testing';
import { describe, expect, it } from 'vitest';
import { JobSpecError } from './named-secrets.ts';
import { JobStarter } from './start-job.ts';

const LINE = 'join ${{ groups[0].nodes[0].IP_ADDRESS }} but $${{ groups[0].nodes[1].IP_ADDRESS }}';

const run = runRecord({
  spec: {
    ...{ run_name: 'train', repo_id: 'repo' },
    configuration: { type: 'task', commands: [LINE], nodes: 2 },
  } as never,
});

/** One of two nodes, each on a separate instance. */
function aNode(num: number, spec: object = {}): JobRecord {
  return jobRecord(
    {
      ...{ id: `job-${num}`, jobNum: num, instanceId: `inst-${num}`, status: 'provisioning' },
      provisioningData: provisioningDataFor(anOffer(), `10.0.0.${num}`),
      runtimeData: { offer: anOffer({ gpus: num + 1 }) } as never,
      spec: {
        ...{ job_num: num, job_name: `train-${num}-0`, replica_num: 0, replica_group: '0' },
        ...{ node_group_index: 0, node_group_job_index: num, jobs_per_replica: 2 },
        ...{ image_name: 'busybox', commands: [LINE], env: {}, file_archives: [] },
        ...{ requirements: { resources: {} }, ...spec },
      } as never,
    },
    run,
  );
}

interface Setup {
  readonly jobs?: readonly JobRecord[];
  readonly missing?: { readonly archives: readonly string[]; readonly code: boolean };
  /** Uploads that the server has stored, by their SHA-256. */
  readonly blobs?: Readonly<Record<string, string>>;
  /** The owner registers another key while the job is sent. */
  readonly keyIsAdded?: boolean;
}

/** A starter, the agent's side of it, and all calls that it makes. */
function setup({ jobs = [aNode(0), aNode(1)], blobs = {}, ...of }: Setup = {}) {
  const calls: unknown[] = [];
  const keys = ['ssh-ed25519 A one'];
  const owner = { globalRole: 'user', active: true, deleted: false, sshPublicKey: null };
  const archives = [{ id: 'archive-1', sha256: 'sha-archive' }];
  const store = {
    projects: { byId: async () => ({ name: 'main', sshPublicKey: 'p' }), role: async () => 'user' },
    users: {
      byId: async () => owner,
      publicKeys: async () => keys.map((key) => ({ key })),
    },
    secrets: { values: async () => ({}) },
    files: {
      archivesByIds: async (ids: string[]) => archives.filter(({ id }) => ids.includes(id)),
    },
    fleets: { recordById: async () => null },
    jobs: { byId: async () => ({ run }), ofRun: async () => jobs },
    instances: {
      byId: async (id: string) => ({ instance: { hostFacts: { ssh_host_key: `key of ${id}` } } }),
    },
    repos: {
      byRepoId: async () => ({ id: 'repo-1' }),
      code: async (_repo: string, hash: string) =>
        hash === 'known' ? { sha256: 'sha-code' } : null,
    },
  };
  const agent = {
    putJob: async ({ id, cluster }: { id: string; cluster: unknown }) => {
      calls.push(['put', id, cluster]);
      if (of.keyIsAdded) keys.push('ssh-ed25519 B two');
      return { missing: of.missing ?? { archives: [], code: false } };
    },
    uploadArchive: async (job: string, id: string, body: Readable) =>
      calls.push(['archive', job, id, await text(body)]),
    uploadCode: async (job: string, body: Readable) => calls.push(['code', job, await text(body)]),
    startJob: async (job: string, start: unknown) => calls.push(['start', job, start]),
  };
  const starter = new JobStarter({
    store: store as never,
    blobs: { get: async (sha256) => (blobs[sha256] ? Buffer.from(blobs[sha256]) : null) },
    defaultRegistry: null,
    pushKeys: (hostId) => calls.push(['push keys', hostId]),
    loopback: false,
    cloneLimits: { bytes: null, seconds: null },
    local: { projects: new Set(), trusted: false, mounts: false, users: false, loopback: false },
  });
  const [job] = jobs;
  const view = { run, job } as never;
  const instance = instanceRecord({ id: 'inst-0', hostId: 'host-0' });
  return {
    calls,
    start: (hold = true) => starter.start(agent as never, view, instance, hold),
    release: () => starter.release(agent as never, view),
  };
}

const CLUSTER = {
  ...{ job_ips: ['10.0.0.0', '10.0.0.1'], master_job_ip: '10.0.0.0' },
  ...{ gpus_per_job: 1, gpus_per_node: [1, 2] },
  host_keys: ['key of inst-0', 'key of inst-1'],
};

describe('the start of a job', () => {
  const withUploads = aNode(0, {
    file_archives: [{ id: 'archive-1', path: '/data' }],
    repo_code_hash: 'known',
  });

  it('sends the uploads that the agent lacks, and nothing else', async () => {
    const blobs = { 'sha-archive': 'a tar', 'sha-code': 'a diff' };
    const all = setup({
      jobs: [withUploads],
      blobs,
      missing: { archives: ['archive-1'], code: true },
    });
    await all.start();
    expect(all.calls).toEqual([
      ['put', 'job-0', null],
      ['archive', 'job-0', 'archive-1', 'a tar'],
      ['code', 'job-0', 'a diff'],
    ]);
    const none = setup({ jobs: [withUploads], blobs });
    await none.start();
    expect(none.calls).toEqual([['put', 'job-0', null]]);
  });

  it.each([
    [{ archives: ['archive-1'], code: false }, 'the uploaded archive archive-1 is not there'],
    [{ archives: [], code: true }, 'the uploaded code is not there'],
  ])('is refused where the server has lost what the agent lacks: %j', async (missing, why) => {
    const { start } = setup({ jobs: [withUploads], missing });
    await expect(start()).rejects.toThrow(JobSpecError);
    await expect(start()).rejects.toThrow(why);
  });

  it('sends keys again that changed before the agent had the job', async () => {
    const { start, calls } = setup({ keyIsAdded: true });
    await start();
    expect(calls).toEqual([
      ['put', 'job-0', null],
      ['push keys', 'host-0'],
    ]);
  });

  it('names the other nodes at once if the job is not held', async () => {
    const { start, calls } = setup();
    await start(false);
    expect(calls).toEqual([['put', 'job-0', CLUSTER]]);
  });
});

describe('the release of a job that was held', () => {
  it('names the nodes of its replica, and fills their addresses into its commands', async () => {
    const superseded = { ...aNode(1), id: 'old', submissionNum: -1 };
    const { release, calls } = setup({ jobs: [aNode(0), aNode(1), superseded] });
    await release();
    const commands = ['join 10.0.0.0 but ${{ groups[0].nodes[1].IP_ADDRESS }}'];
    expect(calls).toEqual([
      ['start', 'job-0', { cluster: CLUSTER, commands, shell_commands: commands }],
    ]);
  });

  it('is refused if a node that its commands mention no longer has an address', async () => {
    const { release, calls } = setup({ jobs: [{ ...aNode(0), provisioningData: null }, aNode(1)] });
    await expect(release()).rejects.toThrow(JobSpecError);
    await expect(release()).rejects.toThrow('node 0 of group 0 has no address any more');
    expect(calls).toEqual([]);
  });
});
