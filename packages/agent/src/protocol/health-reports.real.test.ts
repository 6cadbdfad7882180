import type { HostCheck } from '@dstack/contract/agent';
import { FakeMachine, nvidiaSmi } from '@dstack/testkit/fake-machine';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentHarness } from '../testing/agent-harness.ts';
import type { TestStream } from '../testing/test-stream.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot)
  console.warn('The health of GPUs is NOT tested: only root can make a machine with some');

const TWO = { 'GPU-a': 'works', 'GPU-b': 'works' } as const;

describe.skipIf(!isRoot)('an agent on a host with GPUs', () => {
  let machine: FakeMachine;
  let agent: AgentHarness;
  beforeEach(async () => {
    machine = new FakeMachine(['nvidiactl'], { 'nvidia-smi': nvidiaSmi(TWO) });
    const env = { DSTACK_AGENT_HEALTH_SECONDS: '1' };
    agent = new AgentHarness(['--executor', 'process'], env, undefined, machine.around);
    await agent.start();
  });
  afterEach(async () => {
    await agent.dispose();
    machine.remove();
  });

  const gpuOf = (stream: TestStream): HostCheck | undefined =>
    stream.frames
      .flatMap((frame) => (frame.type === 'health' ? [frame.checks] : []))
      .at(-1)
      ?.find((check) => check.name === 'gpu');
  const until = (stream: TestStream, status: HostCheck['status']) =>
    stream.until(() => gpuOf(stream)?.status === status && gpuOf(stream));

  it('reports their changes, and all results to each server that connects', async () => {
    const stream = await agent.connect();
    expect((await until(stream, 'healthy')).message).toBeNull();
    machine.tool('nvidia-smi', nvidiaSmi({ ...TWO, 'GPU-b': 'lost' }));
    const lost = await until(stream, 'failure');
    expect(lost.message).toBe('GPU 1 (GPU-b): GPU is lost; reset the GPU or restart the host');
    await stream.close();
    const next = await agent.connect();
    expect(await next.until(() => gpuOf(next))).toEqual(lost);
    machine.tool('nvidia-smi', nvidiaSmi({ 'GPU-b': 'works' }));
    await next.until(() => gpuOf(next)?.message?.startsWith('1 of 2 GPUs is lost: GPU 0 (GPU-a)'));
    machine.tool('nvidia-smi', nvidiaSmi(TWO));
    await until(next, 'healthy');
    await next.close();
  });
});
