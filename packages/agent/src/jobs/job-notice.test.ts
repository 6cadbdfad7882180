import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NoticeJob } from '@dstack/contract/agent';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createEventLogger } from '../host/log.ts';
import { jobSpec } from '../testing/agent-harness.ts';
import { ScriptedExecution, ScriptedExecutor } from '../testing/scripted-executor.ts';
import { JobRegistry } from './registry.ts';

const REASON = 'interrupted_by_no_capacity';
const order: NoticeJob = {
  id: 'n-1',
  reason: REASON,
  message: 'lab-0 is drained by ann',
  interrupt_in: 30,
  ends_in: 60,
};

let dir: string;
let executor: ScriptedExecutor;
let jobs: JobRegistry;

beforeEach(() => {
  vi.useFakeTimers();
  dir = mkdtempSync(join(tmpdir(), 'notice-'));
  executor = new ScriptedExecutor();
  jobs = registry(executor);
});
afterEach(async () => {
  await jobs.close();
  vi.useRealTimers();
  rmSync(dir, { recursive: true });
});

function registry(by: ScriptedExecutor): JobRegistry {
  return new JobRegistry({
    stateDir: dir,
    socketDir: join(dir, 'sockets'),
    jobHomes: null,
    executor: by,
    gpus: [],
    log: createEventLogger(() => {}),
    openAccess: async () => null,
  });
}

async function running(spec: Partial<ReturnType<typeof jobSpec>> = {}) {
  const { id } = jobSpec([]);
  jobs.put({ ...jobSpec(['work']), ...spec, id });
  await vi.waitFor(() => expect(jobs.state(id).phase).toBe('running'));
  return { id, execution: executor.of(id) };
}

const after = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);

async function exitOf(id: string) {
  await vi.waitFor(() => expect(jobs.state(id).phase).toBe('exited'));
  return jobs.state(id).exit;
}

describe('a notice', () => {
  it('is written with reason and end, and the job goes on until Ctrl-C', async () => {
    const { id, execution } = await running();
    const at = Date.now();
    jobs.notice(id, order);
    await after(0);
    const text = JSON.parse(execution.noticeText);
    expect(text.reason).toBe('lab-0 is drained by ann');
    expect(Math.round((Date.parse(text.interrupt_at) - at) / 1000)).toBeGreaterThanOrEqual(29);
    expect(Math.round((Date.parse(text.ends_at) - at) / 1000)).toBeGreaterThanOrEqual(59);
    await after(29);
    expect(execution.signals).toEqual([]);
    expect(jobs.state(id)).toMatchObject({ phase: 'running', stop_stage: null });
  });

  it('interrupts, terminates 10 s later, and kills at the end, whatever `stop_duration` is', async () => {
    for (const stop_duration of [5, 3600, null]) {
      const { id, execution } = await running({ stop_duration, stop_duration_set: true });
      jobs.notice(id, order);
      await after(30);
      expect(execution.signals).toEqual(['interrupt']);
      expect(jobs.state(id)).toMatchObject({ stop_stage: 'interrupt', stop_reason: REASON });
      await after(9);
      expect(execution.signals).toEqual(['interrupt']);
      await after(2);
      expect(execution.signals).toEqual(['interrupt', 'terminate']);
      await after(20);
      expect(execution.signals.slice(0, 3)).toEqual(['interrupt', 'terminate', 'kill']);
    }
  });

  it('leaves an exit before Ctrl-C to the job, and is the reason of any exit after it', async () => {
    const early = await running();
    jobs.notice(early.id, order);
    await after(29);
    early.execution.exit(0);
    expect(await exitOf(early.id)).toMatchObject({ status: 0, reason: null });

    const late = await running();
    jobs.notice(late.id, order);
    await after(31);
    late.execution.exit(0);
    expect(await exitOf(late.id)).toMatchObject({
      ...{ status: 0, reason: REASON, message: 'lab-0 is drained by ann' },
    });
  });

  it('leaves the exit to a job that has written `done`, but not a failure of it', async () => {
    for (const [status, reason] of [
      [0, null],
      [1, REASON],
    ] as const) {
      const { id, execution } = await running();
      jobs.notice(id, order);
      await after(31);
      execution.noticeText = 'done\n';
      execution.exit(status);
      expect(await exitOf(id)).toMatchObject({ status, reason });
    }
  });

  it('interrupts only once its file is written, so that it does not replace what the job writes', async () => {
    const { id, execution } = await running();
    const written = Promise.withResolvers<void>();
    execution.writeNotice = async () => written.promise;
    jobs.notice(id, { ...order, interrupt_in: 0 });
    await after(5);
    expect(execution.signals).toEqual([]);
    written.resolve();
    await after(0);
    expect(execution.signals).toEqual(['interrupt']);
  });

  it('is not counted from anew when the order is repeated', async () => {
    const { id, execution } = await running();
    jobs.notice(id, order);
    await after(20);
    jobs.notice(id, order);
    await after(11);
    expect(execution.signals).toEqual(['interrupt']);
  });

  it('may be replaced and withdrawn until Ctrl-C, which empties its file', async () => {
    const { id, execution } = await running();
    jobs.notice(id, order);
    jobs.notice(id, { ...order, id: 'n-2', interrupt_in: 300, ends_in: 330 });
    await after(60);
    expect(execution.signals).toEqual([]);
    expect(jobs.withdrawNotice(id).stop_stage).toBeNull();
    await after(0);
    expect(execution.noticeText).toBe('');
    await after(3600);
    expect(execution.signals).toEqual([]);
    jobs.notice(id, order);
    await after(31);
    expect(jobs.withdrawNotice(id).stop_stage).toBe('interrupt');
    expect(execution.noticeText).not.toBe('');
    expect(jobs.notice(id, { ...order, id: 'n-3' }).stop_stage).toBe('interrupt');
  });

  it('ends at its end a job that its user has stopped with a longer limit, under that reason', async () => {
    const { id, execution } = await running({ stop_duration: 3600, stop_duration_set: true });
    jobs.notice(id, order);
    jobs.stop(id, { grace: true, reason: 'terminated_by_user', message: null });
    await after(59);
    expect(execution.signals).toEqual(['interrupt']);
    await after(2);
    expect(execution.signals).toEqual(['interrupt', 'kill']);
    execution.exit(137);
    expect(await exitOf(id)).toMatchObject({ reason: 'terminated_by_user' });
  });

  it('waits for a month where that is asked, as no timer of Node alone can', async () => {
    const { id, execution } = await running();
    const month = 30 * 86_400;
    jobs.notice(id, { ...order, interrupt_in: month, ends_in: month + 60 });
    await after(1);
    expect(execution.signals).toEqual([]);
  });

  it('goes on at its times after a restart of the agent, whatever the wall clock shows', async () => {
    const { id, execution } = await running();
    jobs.notice(id, order);
    await after(20);
    await jobs.close();
    class Adopting extends ScriptedExecutor {
      override async adopt(): Promise<null> {
        return execution as never;
      }
    }
    vi.setSystemTime(Date.now() + 3600_000);
    jobs = registry(new Adopting());
    await jobs.recover();
    await after(5);
    expect(execution.signals).toEqual([]);
    await after(6);
    expect(execution.signals).toEqual(['interrupt']);
  });

  it('sends Ctrl-C and leaves the grace after it when the agent was down at the time of both', async () => {
    const { id, execution } = await running();
    jobs.notice(id, order);
    await after(20);
    await jobs.close();
    await after(3600);
    class Adopting extends ScriptedExecutor {
      override async adopt(): Promise<null> {
        return execution as never;
      }
    }
    jobs = registry(new Adopting());
    await jobs.recover();
    await after(9);
    expect(execution.signals).toEqual(['interrupt']);
    await after(2);
    expect(execution.signals).toEqual(['interrupt', 'terminate']);
    await after(20);
    expect(execution.signals.slice(0, 3)).toEqual(['interrupt', 'terminate', 'kill']);
  });

  it('outlives a restart of the agent during the stages', async () => {
    const { id, execution } = await running();
    jobs.notice(id, order);
    await after(31);
    await jobs.close();
    const record = JSON.parse(readFileSync(join(dir, 'jobs', id, 'record.json'), 'utf8'));
    expect(record.stop).toMatchObject({ reason: REASON, limit: expect.any(Number) });
    expect(execution).toBeInstanceOf(ScriptedExecution);
  });

  it('does not replace what the job wrote at Ctrl-C while the agent was restarted', async () => {
    const { id, execution } = await running();
    jobs.notice(id, order);
    await after(31);
    await jobs.close();
    execution.noticeText = 'done\n';
    class Adopting extends ScriptedExecutor {
      override async adopt(): Promise<null> {
        return execution as never;
      }
    }
    jobs = registry(new Adopting());
    await jobs.recover();
    await after(1);
    expect(execution.noticeText).toBe('done\n');
    execution.exit(0);
    expect(await exitOf(id)).toMatchObject({ status: 0, reason: null });
  });
});
