import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Execution, ExecutionExit, Executor } from '../executor/executor.ts';
import { JobFailure } from '../executor/job-failure.ts';
import { createEventLogger } from '../host/log.ts';
import { jobSpec } from '../testing/agent-harness.ts';
import { JobLog } from './job-log.ts';
import { JobRegistry } from './registry.ts';

let dir: string;
let logged: string;
const registries: JobRegistry[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  dir = mkdtempSync(join(tmpdir(), 'registry-'));
  logged = '';
});
afterEach(async () => {
  for (const registry of registries.splice(0)) await registry.close();
  vi.useRealTimers();
  rmSync(dir, { recursive: true });
});

async function startsNothing(): Promise<Execution> {
  throw new JobFailure('executor_error', 'no job starts here');
}

/** An executor whose jobs all end at once; `remove` removes them from the host. */
function registry(
  remove: Executor['remove'] = async () => {},
  start: Executor['start'] = startsNothing,
): JobRegistry {
  const executor: Executor = {
    kind: 'process',
    pulls: false,
    pull: async () => {},
    start,
    adopt: async () => null,
    remove,
    serverSocket: () => ({ path: '', folderMode: null, mode: 0o600, owner: null }),
    planImages: () => {},
    check: async () => null,
    whyNoMounts: () => null,
    close: () => {},
    sweep: async () => {},
  };
  const made = new JobRegistry({
    stateDir: dir,
    socketDir: join(dir, 'sockets'),
    jobHomes: null,
    executor,
    gpus: [],
    log: createEventLogger((line) => {
      logged += line;
    }),
    openAccess: async () => null,
  });
  registries.push(made);
  return made;
}

async function ended(jobs: JobRegistry): Promise<string> {
  const spec = jobSpec(['true']);
  jobs.put(spec);
  await vi.waitFor(() => expect(jobs.state(spec.id).phase).toBe('exited'));
  return spec.id;
}

it('removes a job at the second request, after a failure of the executor', async () => {
  const outcomes = [() => Promise.reject(new Error('the daemon is away')), async () => {}];
  const jobs = registry(() => outcomes.shift()?.() ?? expect.unreachable());
  const id = await ended(jobs);
  const deleted: string[] = [];
  jobs.listen({
    onState: () => {},
    onPull: () => {},
    onPut: () => {},
    onDeleted: (job) => deleted.push(job),
    onTunnel: () => {},
  });
  await expect(jobs.remove(id)).rejects.toThrow('the daemon is away');
  expect(jobs.jobs.map((job) => job.id)).toEqual([id]);
  await jobs.remove(id);
  expect(deleted).toEqual([id]);
  expect(jobs.jobs).toEqual([]);
  // It is removed, so the executor is not called again.
  await jobs.remove(id);
});

it('keeps what cannot be removed from a full disk, and tries again', async () => {
  const first = registry();
  const id = await ended(first);
  await first.remove(id);
  await first.close();
  // The path of the file that a full disk would refuse.
  const blocked = join(dir, 'last-state-number.new');
  mkdirSync(blocked);
  const second = registry();
  await second.recover();
  await vi.advanceTimersByTimeAsync(1000);
  expect(logged).toContain('the leftovers of a job were not removed');
  expect(second.state(id).phase).toBe('exited');
  expect(existsSync(join(dir, 'jobs', id))).toBe(true);
  rmdirSync(blocked);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(existsSync(join(dir, 'jobs', id))).toBe(false);
});

it('keeps only the id of a deleted job, and does not start it again', async () => {
  let starts = 0;
  const jobs = registry(undefined, () => {
    starts += 1;
    return startsNothing();
  });
  const spec = jobSpec(['true'], { env: { LARGE: 'x'.repeat(100_000) } });
  jobs.put(spec);
  await vi.waitFor(() => expect(jobs.state(spec.id).phase).toBe('exited'));
  await jobs.remove(spec.id);
  await vi.advanceTimersByTimeAsync(120_000);
  await vi.waitFor(() => expect(readdirSync(join(dir, 'jobs'))).toEqual([]));
  const size = readFileSync(join(dir, 'deleted-jobs')).length;
  expect(size).toBeLessThan(100);
  await jobs.close();
  const next = registry();
  await next.recover();
  for (const one of [jobs, next]) {
    expect(one.put(spec).state).toMatchObject({ phase: 'exited' });
    expect(one.stop(spec.id, { grace: false, reason: 'x', message: null }).phase).toBe('exited');
    await one.remove(spec.id);
    expect(one.jobs).toEqual([]);
  }
  expect(starts).toBe(1);
  await vi.advanceTimersByTimeAsync(24 * 3600_000);
  expect(next.put(spec).state).toMatchObject({ phase: 'exited' });
});

it('kills a job again and again, until it has ended', async () => {
  const exit = Promise.withResolvers<ExecutionExit>();
  const kills = [
    () => Promise.reject(new Error('the daemon is away')),
    async () => {},
    async () => exit.resolve({ status: 137, reason: null, message: null }),
  ];
  const account = { username: null, uid: 0, gid: 0, home: dir, shell: null };
  const execution = {
    ...{ workingDir: dir, account, containerIp: null, addresses: [], spool: new JobLog() },
    exited: exit.promise,
    kill: () => kills.shift()?.() ?? expect.unreachable(),
    release: () => {},
  };
  const jobs = registry(undefined, async () => execution as unknown as Execution);
  const spec = jobSpec(['true']);
  jobs.put(spec);
  await vi.waitFor(() => expect(jobs.state(spec.id).phase).toBe('running'));
  jobs.stop(spec.id, { grace: false, reason: 'aborted_by_user', message: null });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(jobs.state(spec.id)).toMatchObject({ phase: 'running', stop_stage: 'kill' });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(jobs.state(spec.id)).toMatchObject({ phase: 'exited', exit: { status: 137 } });
});
