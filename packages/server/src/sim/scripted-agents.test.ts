import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type InstanceAccess, type InstancePort, NoCapacityError } from '@dstack/backends';
import { type OpenedSim, openSim, SIM_OFFERS, simControl } from '@dstack/backends/sim';
import { newOrder, OUR_SERVER } from '@dstack/backends/testing';
import { parseConfiguration, type SimBackendConfig } from '@dstack/contract';
import type { JobSpecForAgent, JobState } from '@dstack/contract/agent';
import { requirementsMatch } from '@dstack/core';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentClient } from '../hosts/agent-client.ts';
import { HostLink, type HostSink } from '../hosts/host-link.ts';

let dir: string;
let sim: OpenedSim;
let instances: InstancePort;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sim-'));
  sim = open();
});
afterEach(() => {
  sim.close();
  rmSync(dir, { recursive: true });
});

function open(knobs = ''): OpenedSim {
  const opened = openSim({
    config: configured(`{type: sim, as: aws${knobs}}`),
    ...{ dir, node: process.execPath, program: '', serverId: OUR_SERVER },
    socketFolder: () => dir,
    matches: requirementsMatch,
  });
  instances = opened.backend.instances as InstancePort;
  return opened;
}

function configured(entry: string): SimBackendConfig {
  const text = `projects: [{name: main, backends: [${entry}]}]`;
  const answer = parseConfiguration(text, 'server-config', { sim: true });
  const backend = answer.ok ? answer.value.projects[0]?.backends?.[0] : null;
  if (backend?.type !== 'sim') throw new Error('it is not a simulated backend');
  return backend;
}

async function accessOf(id: string): Promise<Extract<InstanceAccess, { kind: 'socket' }>> {
  const observation = await instances.observe({ id, data: null }, { facts: null });
  const access = observation.state === 'ready' ? observation.access : null;
  if (access?.kind !== 'socket') throw new Error(`it is ${observation.state}`);
  return access;
}

const created = async () => (await instances.create(newOrder(SIM_OFFERS[0] ?? null))).handle.id;

/** A link to the machine's agent; resolves `until` when a state is as wanted. */
async function linked(id: string) {
  const { path, token } = await accessOf(id);
  const client = new AgentClient({ dial: () => connect(path), token });
  const states: JobState[] = [];
  const stored = new Map<string, Buffer>();
  let look = () => {};
  const sink = {
    connected: async () => look(),
    lost: async () => {},
    sync: async (jobs: readonly JobState[]) => {
      states.push(...jobs);
      return Object.fromEntries(jobs.map((job) => [job.id, stored.get(job.id)?.length ?? 0]));
    },
    states: async (more: readonly JobState[]) => {
      states.push(...more);
      look();
    },
    log: async (frame: { id: string; bytes: Uint8Array }) => {
      stored.set(frame.id, Buffer.concat([stored.get(frame.id) ?? Buffer.alloc(0), frame.bytes]));
      look();
      return { rewindTo: null };
    },
  } as unknown as HostSink;
  const options = { hostId: id, serverId: OUR_SERVER, client, prepare: async () => {}, sink };
  const link = new HostLink({ ...options, log: pino({ level: 'silent' }) });
  link.start();
  const until = (is: () => boolean) =>
    new Promise<void>((resolve) => {
      look = () => {
        if (is()) resolve();
      };
      look();
    });
  return { client, link, states, stored, until };
}

const job = (env: Record<string, string>): JobSpecForAgent => ({
  ...{ id: randomUUID(), run_id: 'r', run_name: 'train', job_name: 'train-0-0', env },
  ...{ project_name: 'main', repo_id: null, repo: null, file_archives: [], mounts: [], ports: [] },
  ...{ job_num: 0, replica_num: 0, jobs_per_replica: 1, image_name: 'busybox', user: null },
  ...{ registry_auth: null, privileged: false, commands: [], shell_commands: null },
  ...{ working_dir: null, cpu_limit: null, memory_limit_bytes: null, shm_size_bytes: null },
  ...{ gpus: null, job_private_key: null, max_duration: null, stop_duration: 300 },
  ...{ stop_duration_set: false, masked_values: [], hold: false, cluster: null },
  ...{ notices: null, server_access: null, host_access: null },
  network_mode: 'bridge',
  authorized_keys: { user: [], project: [], job: [] },
});

describe('a scripted agent', () => {
  it('runs a job as its environment requests, and sends states and output', async () => {
    const { client, link, states, stored, until } = await linked(await created());
    const spec = job({ SIM_SECONDS: '0', SIM_EXIT_STATUS: '3' });
    expect(await client.putJob(spec)).toMatchObject({ missing: { archives: [], code: false } });
    await until(() => states.at(-1)?.phase === 'exited' && stored.has(spec.id));
    expect(states.map(({ phase }) => phase)).toEqual(['running', 'exited']);
    expect(states.at(-1)?.exit).toMatchObject({ status: 3 });
    expect(String(stored.get(spec.id))).toMatch(/^train runs on sim-/);
    expect(stored.get(spec.id)).toHaveLength(states.at(-1)?.log_end ?? -1);
    await client.deleteJob(spec.id);
    await link.close();
  });

  it('goes on with a job that has no end until it is stopped', async () => {
    const { client, link, states, until } = await linked(await created());
    const spec = job({ SIM_SECONDS: 'never' });
    await client.putJob(spec);
    await until(() => states.at(-1)?.phase === 'running');
    await expect(client.deleteJob(spec.id)).rejects.toThrow('The job is running');
    const stop = { grace: true, reason: 'terminated_by_user', message: null };
    expect((await client.stopJob(spec.id, stop)).exit?.status).toBe(130);
    await link.close();
  });

  it('sends a returning server what it has missed', async () => {
    const id = await created();
    const first = await linked(id);
    const spec = job({ SIM_SECONDS: 'never' });
    await first.client.putJob(spec);
    await first.until(() => first.states.at(-1)?.phase === 'running');
    await first.link.close();
    const second = await linked(id);
    await second.until(() => second.stored.has(spec.id));
    expect(second.states).toMatchObject([{ id: spec.id, phase: 'running' }]);
    await second.link.close();
  });

  it('ends with its machine', async () => {
    const id = await created();
    const { path } = await accessOf(id);
    await instances.release({ id, data: null });
    const socket = connect(path);
    const error = await new Promise<NodeJS.ErrnoException>((done) => socket.on('error', done));
    expect(error.code).toBe('ENOENT');
  });
});

describe('the provider of simulated machines', () => {
  it('finds its machines again in the next life of the server', async () => {
    const id = await created();
    const before = await accessOf(id);
    sim.close();
    sim = open();
    await sim.resume();
    expect(await accessOf(id)).toEqual(before);
    const listed = await instances.list({ server: OUR_SERVER });
    expect(listed.map(({ handle }) => handle.id)).toEqual([id]);
  });

  it('obeys its knobs, and those of the control file while it runs', async () => {
    sim.close();
    sim = open(', quota: 1');
    await created();
    await expect(created()).rejects.toThrow(NoCapacityError);
    const control = simControl(dir);
    control.set({ quota: 2, boot_seconds: [3600, 3600] });
    const late = await created();
    const answer = await instances.observe({ id: late, data: null }, { facts: null });
    expect(answer).toEqual({ state: 'pending', text: 'booting' });
    control.set({ error: 1 });
    await expect(created()).rejects.toThrow('500 Internal Server Error');
    expect(control.machines()).toHaveLength(2);
  });

  it('reports an interruption that another process has caused', async () => {
    sim.close();
    sim = open(', watch: true');
    const id = await created();
    await accessOf(id);
    const changed = Promise.withResolvers<string>();
    const end = instances.watch?.((handleId) => changed.resolve(handleId));
    simControl(dir).interrupt(id, 'the price rose');
    expect(await changed.promise).toBe(id);
    end?.();
    expect(await instances.observe({ id, data: null }, { facts: null })).toEqual({
      state: 'interrupted',
      reason: 'spot',
      text: 'the price rose',
    });
  });
});
