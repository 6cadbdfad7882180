import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { commentOf } from './batch.ts';
import { JobTable } from './job-table.ts';
import { LoginNode } from './login.ts';
import { QueueWatch } from './queue-watch.ts';

const NAME = 'dstack-main-train-0-0123456789ab';
const OWNER = { server: 'ours', project: 'main', fleet: 'f', instance: 'i' };

/** A login node whose queue and files the tests set. */
class Login {
  jobs: string[] = [];
  files: string[] = [];
  isAway = false;
  reads = 0;
  looks = 0;
  readonly node = new LoginNode('hpc', async () => ({
    run: async (script) => {
      const isRead = script.includes('squeue');
      if (isRead) this.reads++;
      else this.looks++;
      if (this.isAway) throw new Error('no answer');
      const found = this.files.map((file) => `${file}\n`).join('');
      const stdout = isRead ? this.#read(this.jobs) : found + this.#read([]);
      return { code: 0, stdout, stderr: '' };
    },
    forward: () => Promise.reject(new Error('not here')),
  }));

  #read(jobs: readonly string[]): string {
    const folders = [`/home/dev/.dstack/jobs/${NAME}`];
    const tunnels = this.files
      .filter((file) => file.includes('tunnel'))
      .map((file) => `${file} {"host":"cpu-1","port":7000}`);
    return [...jobs, 'dstack-folders', ...folders, ...tunnels, ''].join('\n');
  }
}

const job = (state: string, more: { nodes?: number; server?: string } = {}): string => {
  const owner = { ...OWNER, server: more.server ?? OWNER.server };
  const comment = commentOf({ key: 'k', owner, resources: {} as never });
  return `17|${state}|cpu|cpu-1|${more.nodes ?? 1}|${NAME}|${comment}|None`;
};
const LOG = `/home/dev/.dstack/jobs/${NAME}/output.log`;
const tunnel = (rank: number) => `/home/dev/.dstack/jobs/${NAME}/agent/tunnel.${rank}`;

describe('the watch of a queue', () => {
  let login: Login;
  let watch: QueueWatch;
  let jobs: JobTable;
  let changes: string[];
  let end: () => void;
  beforeEach(async () => {
    vi.useFakeTimers();
    login = new Login();
    jobs = new JobTable(login.node);
    const options = { cluster: 'hpc', serverId: 'ours', login: login.node, jobs, now: Date.now };
    watch = new QueueWatch(options);
    changes = [];
    end = watch.watch((id) => changes.push(id));
    await vi.advanceTimersByTimeAsync(1000);
  });
  afterEach(() => {
    end();
    vi.useRealTimers();
  });

  const pass = async (ms: number) => {
    const [reads, looks] = [login.reads, login.looks];
    changes.length = 0;
    await vi.advanceTimersByTimeAsync(ms);
    return { reads: login.reads - reads, looks: login.looks - looks };
  };
  const submit = async (state = 'PENDING') => {
    login.jobs = [job(state)];
    jobs.changed();
    watch.onSubmitted(NAME);
    await pass(100);
  };

  it('asks for nothing while there is no job', async () => {
    expect(await pass(3_600_000)).toEqual({ reads: 0, looks: 0 });
  });

  it('reports an agent that listens within a tenth of a second', async () => {
    await submit();
    await pass(700);
    login.jobs = [job('RUNNING')];
    login.files = [tunnel(0)];
    expect(await pass(100)).toMatchObject({ reads: 1 });
    expect(changes).toEqual([NAME]);
    expect((await jobs.viewOf(NAME)).tunnels.get(NAME)?.get(0)?.port).toBe(7000);
    expect(await pass(0)).toEqual({ reads: 0, looks: 0 });
  });

  it('reads the queue when a batch script begins, and not again when its agent listens', async () => {
    await submit();
    await pass(700);
    login.jobs = [job('RUNNING')];
    login.files = [LOG];
    expect(await pass(100)).toMatchObject({ reads: 1 });
    login.files = [LOG, tunnel(0)];
    expect(await pass(50)).toMatchObject({ reads: 0 });
    expect(changes).toEqual([NAME]);
    expect((await jobs.viewOf(NAME)).tunnels.get(NAME)?.get(0)?.port).toBe(7000);
    expect(await pass(10_000)).toEqual({ reads: 0, looks: 0 });
  });

  it('reads the queue at once when a batch script has ended', async () => {
    login.files = [LOG];
    await submit('RUNNING');
    await pass(5000);
    login.files = [LOG, `/home/dev/.dstack/jobs/${NAME}/ended`];
    login.jobs = [job('FAILED')];
    await pass(300);
    expect(changes).toEqual([NAME]);
  });

  it('reads the queue twice a minute while jobs run, and looks at no files', async () => {
    login.files = [tunnel(0)];
    await submit('RUNNING');
    await pass(60_000);
    expect(await pass(600_000)).toEqual({ reads: 20, looks: 0 });
    login.jobs = [job('TIMEOUT')];
    await pass(30_000);
    expect(changes).toEqual([NAME]);
    expect(await pass(600_000)).toEqual({ reads: 0, looks: 0 });
  });

  it('looks more and more rarely at a job that waits in the queue of Slurm', async () => {
    await submit();
    await pass(3_600_000);
    const { reads, looks } = await pass(60_000);
    expect(reads).toBeLessThanOrEqual(4);
    expect(looks).toBeLessThanOrEqual(30);
  });

  it('finds at once what ended an agent', async () => {
    login.files = [tunnel(0)];
    await submit('RUNNING');
    await pass(60_000);
    login.jobs = [job('COMPLETING')];
    watch.onDoubt();
    await pass(300);
    expect(changes).toEqual([NAME]);
    login.jobs = [job('PREEMPTED')];
    await pass(1500);
    expect(changes).toEqual([NAME]);
  });

  it('is read once a second while connections to an agent fail', async () => {
    login.files = [tunnel(0)];
    await submit('RUNNING');
    await pass(60_000);
    let reads = 0;
    for (let i = 0; i < 100; i++) {
      watch.onDoubt();
      reads += (await pass(100)).reads;
    }
    expect(reads).toBeLessThanOrEqual(11);
  });

  it('reports every node of a gang', async () => {
    login.jobs = [job('RUNNING', { nodes: 3 })];
    login.files = [0, 1, 2].map(tunnel);
    watch.onDoubt();
    await pass(300);
    expect(changes).toEqual([NAME, `${NAME}:1`, `${NAME}:2`]);
  });

  it('leaves the jobs of other installations alone', async () => {
    login.jobs = [job('RUNNING', { server: 'theirs' })];
    watch.onDoubt();
    await pass(10_000);
    expect(changes).toEqual([]);
    expect(await pass(60_000)).toEqual({ reads: 0, looks: 0 });
  });

  it('asks every two seconds while the login node is away, and reports all jobs once it is back', async () => {
    login.files = [tunnel(0)];
    await submit('RUNNING');
    login.isAway = true;
    await pass(600_000);
    expect((await pass(600_000)).reads).toBe(300);
    login.isAway = false;
    await pass(2000);
    expect(changes).toEqual([NAME]);
  });

  it('asks more and more rarely while the login node is away and no job is known', async () => {
    login.isAway = true;
    const options = { cluster: 'hpc', serverId: 'ours', login: login.node, jobs, now: Date.now };
    const other = new QueueWatch(options);
    const endOther = other.watch(() => {});
    await pass(600_000);
    expect((await pass(600_000)).reads).toBeLessThanOrEqual(10);
    other.onDoubt();
    await pass(60_000);
    expect((await pass(600_000)).reads).toBe(300);
    endOther();
  });

  it('does not answer from what it has read about a job that another server has submitted', async () => {
    const other = NAME.replace('train', 'other');
    login.jobs = [job('RUNNING').replace(NAME, other)];
    expect((await jobs.viewOf(other)).jobs.has(other)).toBe(true);
  });

  it('follows a job of another server from the first question about it on', async () => {
    login.jobs = [job('PENDING')];
    expect((await jobs.viewOf(NAME)).jobs.get(NAME)?.state).toBe('PENDING');
    await pass(700);
    login.jobs = [job('RUNNING')];
    login.files = [tunnel(0)];
    expect(await pass(400)).toMatchObject({ reads: 1 });
    expect(changes).toEqual([NAME]);
    expect((await jobs.viewOf(NAME)).tunnels.get(NAME)?.get(0)?.port).toBe(7000);
  });

  it('ends with its last listener', async () => {
    await submit();
    end();
    await pass(100);
    expect(await pass(60_000)).toEqual({ reads: 0, looks: 0 });
  });
});
