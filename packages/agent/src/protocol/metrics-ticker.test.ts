import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentFrame } from '@dstack/contract/agent';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createEventLogger } from '../host/log.ts';
import type { JobAccess } from '../jobs/job-access.ts';
import type { JobRegistry } from '../jobs/registry.ts';
import { jobSpec } from '../testing/agent-harness.ts';
import { ScriptedExecutor, scriptedRegistry } from '../testing/scripted-executor.ts';
import { MetricsTicker } from './metrics-ticker.ts';
import type { StreamSession } from './stream-session.ts';

const PERIOD = 10_000;

let dir: string;
let executor: ScriptedExecutor;
let registry: JobRegistry;
let ticker: MetricsTicker;
let frames: AgentFrame[];
let isConnected: boolean;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_700_000_000_000 });
  dir = mkdtempSync(join(tmpdir(), 'ticker-'));
  executor = new ScriptedExecutor();
  const access: JobAccess = {
    port: 1,
    lastActivity: () => null,
    authorizeUsers: () => {},
    ended: async () => {},
    close: async () => {},
  };
  registry = scriptedRegistry(dir, executor, async () => access);
  frames = [];
  isConnected = true;
  const session = { sendNow: (frame: AgentFrame) => void frames.push(frame) };
  const current = () => (isConnected ? (session as unknown as StreamSession) : null);
  ticker = new MetricsTicker(
    registry,
    current,
    PERIOD,
    createEventLogger(() => {}),
  );
});
afterEach(async () => {
  ticker.close();
  await registry.close();
  vi.useRealTimers();
  rmSync(dir, { recursive: true });
});

async function running(): Promise<string> {
  const spec = jobSpec(['true']);
  registry.put(spec);
  await vi.waitFor(() => expect(registry.state(spec.id).phase).toBe('running'));
  return spec.id;
}

const kinds = () => frames.map(({ type }) => type);

it('reports the use of a job twice at its start, then once in each period with its activity', async () => {
  await running();
  await vi.advanceTimersByTimeAsync(2000);
  expect(kinds()).toEqual(['metrics', 'metrics']);
  await vi.advanceTimersByTimeAsync(PERIOD);
  expect(kinds()).toEqual(['metrics', 'metrics', 'metrics', 'activity']);
});

it('counts the seconds without a user from the start of a job if no user was connected', async () => {
  const id = await running();
  await vi.advanceTimersByTimeAsync(5000);
  await ticker.tick();
  const last = frames.at(-1);
  expect(last).toMatchObject({ type: 'activity', id });
  expect(last?.type === 'activity' && last.no_connections_secs).toBeGreaterThanOrEqual(5);
});

it.each([3, -3])('counts them by no clock that is set (by %i hours)', async (hours) => {
  await running();
  await vi.advanceTimersByTimeAsync(5000);
  vi.setSystemTime(Date.now() + hours * 3_600_000);
  await ticker.tick();
  const last = frames.at(-1);
  const seconds = last?.type === 'activity' ? last.no_connections_secs : Number.NaN;
  expect(seconds).toBeGreaterThanOrEqual(5);
  expect(seconds).toBeLessThan(60);
});

it('reports nothing of jobs that have ended, and nothing while no server is connected', async () => {
  isConnected = false;
  const id = await running();
  await vi.advanceTimersByTimeAsync(PERIOD);
  isConnected = true;
  executor.of(id).exit(0);
  await vi.waitFor(() => expect(registry.state(id).phase).toBe('exited'));
  await vi.advanceTimersByTimeAsync(PERIOD);
  expect(frames).toEqual([]);
});
