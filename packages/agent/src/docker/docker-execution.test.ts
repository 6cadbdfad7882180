import { Readable } from 'node:stream';
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

const dieEvent = (exitCode: string): string =>
  `${JSON.stringify({ Action: 'die', Actor: { Attributes: { exitCode } } })}\n`;

/** A container whose daemon reports its end by these answers, in this order. */
function execution(
  answers: readonly Promise<Docker.ContainerInspectInfo>[],
  reported = 0,
  died = String(reported),
): DockerExecution {
  const left = [...answers];
  const container = {
    kill: async () => {},
    wait: async () => ({ StatusCode: reported }),
    inspect: () => left.shift() ?? expect.unreachable(),
  };
  return new DockerExecution({
    container,
    inspected: ended,
    output: { finish: async () => {}, release: () => {} },
    daemon: { endedContainers: async () => false },
    docker: {
      getEvents: async ({ filters }: { filters: { event: string[] } }) =>
        Readable.from(filters.event[0] === 'die' ? [dieEvent(died)] : []),
    },
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

const missing = () =>
  Promise.reject(Object.assign(new Error('no such container'), { statusCode: 404 }));

it('reports a container that another program removed as an interruption by the host', async () => {
  const { exited } = execution([missing()], 137);
  await expect(exited).resolves.toEqual({
    status: 137,
    reason: 'interrupted_by_no_capacity',
    message: 'Another program on the host has removed the container of the job',
    host_fault: 'container_removed',
  });
});

it.each([0, 3])(
  'believes exit status %i of a container that is removed afterwards',
  async (code) => {
    const { exited } = execution([missing()], code);
    await expect(exited).resolves.toEqual({ status: code, reason: null, message: null });
  },
);

it('attributes the removal of a container that was to be killed to the kill', async () => {
  const removed = missing();
  removed.catch(() => {});
  const started = Promise.withResolvers<Docker.ContainerInspectInfo>();
  const killed = execution([started.promise, removed], 137);
  await killed.kill();
  started.resolve({ ...ended, State: { ...ended.State, Running: true } });
  await expect(killed.exited).resolves.toEqual({ status: 137, reason: null, message: null });
});

it('waits a moment for the removal of a container that another program killed', async () => {
  const dead = { ...ended, State: { ...ended.State, ExitCode: 137 } };
  const removed = missing();
  removed.catch(() => {});
  const { exited } = execution([Promise.resolve(dead), Promise.resolve(dead), removed], 137);
  await vi.advanceTimersByTimeAsync(5000);
  await expect(exited).resolves.toMatchObject({ status: 137, host_fault: 'container_removed' });
});

it.each([
  ['the event knows no status', 137, '255', { host_fault: 'runtime' }],
  ['the container was killed by itself', 137, '137', { reason: null }],
  ['the command has returned this status', 255, '255', { reason: null }],
])('a container that ended with its shim: %s', async (_, status, died, expected) => {
  const dead = { ...ended, State: { ...ended.State, ExitCode: status } };
  const looks = Array.from({ length: 5 }, () => Promise.resolve(dead));
  const { exited } = execution(looks, status, died);
  await vi.advanceTimersByTimeAsync(5000);
  await expect(exited).resolves.toMatchObject({ status, ...expected });
});
