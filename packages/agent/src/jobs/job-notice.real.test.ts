import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentHarness, jobSpec } from '../testing/agent-harness.ts';
import type { TestStream } from '../testing/test-stream.ts';

const missing = dockerMissing();
if (missing) console.warn(`Notices in containers are NOT tested: ${missing} is missing`);

const REASON = 'interrupted_by_no_capacity';
const IMAGE = 'busybox:test';
const order = (id: string, interrupt_in: number, ends_in: number) => ({
  ...{ id, reason: REASON, message: 'lab-0 is drained by ann', interrupt_in, ends_in },
});

/** Prints what it finds in the file of the notice, and again when it is interrupted. */
const WATCH =
  'trap \'echo interrupted; echo "$LAST" > "$DSTACK_PREEMPTION_FILE"; exit 0\' INT; ' +
  '[ -e "$DSTACK_PREEMPTION_FILE" ] && echo empty; ' +
  'until [ -s "$DSTACK_PREEMPTION_FILE" ]; do sleep 0.1; done; cat "$DSTACK_PREEMPTION_FILE"; ' +
  'while [ -s "$DSTACK_PREEMPTION_FILE" ]; do sleep 0.1; done; echo withdrawn; ' +
  'while :; do sleep 0.1; done';

describe.each(['process', 'docker'] as const)('a notice to a job of the %s executor', (kind) => {
  let engine: TestDocker | null = null;
  let agent: AgentHarness;
  let stream: TestStream;
  beforeAll(async () => {
    if (kind === 'docker' && missing === null) {
      engine = await startDocker();
      await engine.busybox(IMAGE);
    }
    agent = new AgentHarness(
      ['--executor', kind],
      engine === null ? {} : { DOCKER_HOST: engine.host },
    );
    if (kind === 'docker' && engine === null) return;
    await agent.start();
    stream = await agent.connect();
  });
  afterAll(async () => {
    await stream?.close();
    await agent.dispose();
    await engine?.close();
  });

  const watch = (last: string) =>
    jobSpec([], {
      ...{ shell_commands: null, commands: ['/bin/sh', '-c', WATCH], env: { LAST: last } },
    });
  const isSkipped = kind === 'docker' && missing !== null;
  const shows = (id: string, text: string) => stream.until(() => stream.text(id).includes(text));

  it.skipIf(isSkipped)('appears in its file, is withdrawn, and outlives the agent', async () => {
    const spec = watch('saved');
    await agent.put(spec);
    await shows(spec.id, 'empty');
    await agent.call('PUT', `/v1/jobs/${spec.id}/notice`, order('n-1', 3600, 3660));
    await shows(spec.id, '"reason":"lab-0 is drained by ann"');
    const withdrawn = await agent.call('DELETE', `/v1/jobs/${spec.id}/notice`);
    expect(withdrawn).toMatchObject({ status: 200, body: { stop_stage: null, phase: 'running' } });
    await shows(spec.id, 'withdrawn');
    stream = await agent.restartAfterKill(stream);
    await agent.call('PUT', `/v1/jobs/${spec.id}/notice`, order('n-2', 0, 60));
    const { state, text } = await stream.whole(spec.id);
    expect(text).toContain('interrupted');
    expect(state.exit).toMatchObject({ status: 0, reason: REASON });
  });

  it.skipIf(isSkipped)('leaves the exit to a job that writes that it is done', async () => {
    const spec = watch('done');
    await agent.put(spec);
    await shows(spec.id, 'empty');
    await agent.call('PUT', `/v1/jobs/${spec.id}/notice`, order('n-1', 0, 60));
    const { state } = await stream.whole(spec.id);
    expect(state.exit).toMatchObject({ status: 0, reason: null });
  });
});
