import type Docker from 'dockerode';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createEventLogger } from '../host/log.ts';
import { DockerExecution, type DockerExecutionSetup } from './docker-execution.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const ended = {
  State: { Pid: 0, Running: false, ExitCode: 0, Error: '', FinishedAt: '2026-01-01T00:00:00Z' },
  Config: { WorkingDir: '/' },
  HostConfig: { NetworkMode: 'bridge' },
  NetworkSettings: { Networks: {} },
} as unknown as Docker.ContainerInspectInfo;

/** A container whose daemon reports its end by these answers, in this order. */
function execution(answers: readonly Promise<Docker.ContainerInspectInfo>[]): DockerExecution {
  const left = [...answers];
  const container = {
    wait: async () => ({ StatusCode: 0 }),
    inspect: () => left.shift() ?? expect.unreachable(),
  };
  return new DockerExecution({
    container,
    inspected: ended,
    output: { finish: async () => {}, release: () => {} },
    daemon: { endedContainers: async () => false },
    relaySocket: '/nowhere',
    log: createEventLogger(() => {}),
  } as unknown as DockerExecutionSetup);
}

it('requests again how a container ended if the daemon dies during its answer', async () => {
  const cutOff = new Promise<never>(() => {});
  const { exited } = execution([cutOff, Promise.resolve(ended)]);
  await vi.advanceTimersByTimeAsync(60_000);
  await expect(exited).resolves.toEqual({ status: 0, reason: null, message: null });
});
