import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Execution } from '../executor/executor.ts';
import { JobFailure, JobUnknown } from '../executor/job-failure.ts';
import { createEventLogger } from '../host/log.ts';
import { adoptPatiently } from './adopt-patiently.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const log = createEventLogger(() => {});
const unknown = () => new JobUnknown('executor_error', 'no answer', { hostFault: 'daemon_hung' });

it('asks a host that cannot answer again until it does, and reports that it waits', async () => {
  const execution = {} as Execution;
  const adopt = vi.fn<() => Promise<Execution | null>>().mockRejectedValue(unknown());
  const waits: (string | null)[] = [];
  const { signal } = new AbortController();
  const adopted = adoptPatiently(adopt, { signal, log, onWait: (one) => waits.push(one) });
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(adopt.mock.calls.length).toBeGreaterThan(100);
  expect(waits).toEqual(['an answer of the host to the question whether the job still runs']);
  adopt.mockResolvedValue(execution);
  await vi.advanceTimersByTimeAsync(30_000);
  await expect(adopted).resolves.toBe(execution);
  expect(waits.at(-1)).toBeNull();
});

it('ends with the agent without having ended the job', async () => {
  const closing = new AbortController();
  const adopt = async () => Promise.reject(unknown());
  const adopted = adoptPatiently(adopt, { signal: closing.signal, log, onWait: () => {} });
  await vi.advanceTimersByTimeAsync(5000);
  closing.abort();
  await expect(adopted).resolves.toBeNull();
});

it('does not repeat an adoption that has failed for good', async () => {
  const failed = Promise.reject(new JobFailure('executor_error', 'broken'));
  const { signal } = new AbortController();
  const adopted = adoptPatiently(() => failed, { signal, log, onWait: () => {} });
  await expect(adopted).rejects.toThrow('broken');
});
