import { BackendError, BusyError, type InstancePort, NoAnswerError } from '@dstack/backends';
import { capabilitiesOf, type IntentPayload, type IntentRecord, type Signal } from '@dstack/core';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { AgentRefusal } from '../hosts/agent-client.ts';
import { effects } from './carry-out.ts';
import type { EffectsOptions } from './effects.ts';
import { JobSpecError } from './named-secrets.ts';

const INTENTS: readonly Pick<IntentRecord, 'key' | 'kind' | 'subjectId' | 'payload'>[] = [
  {
    ...{ key: 'job.start:j:0', kind: 'job.start', subjectId: 'j' },
    payload: { kind: 'job.start', hold: false },
  },
  {
    ...{ key: 'job.release:gone:0', kind: 'job.release', subjectId: 'gone' },
    payload: { kind: 'job.release' },
  },
  {
    ...{ key: 'job.stop:j:0', kind: 'job.stop', subjectId: 'j' },
    payload: { kind: 'job.stop', grace: false, reason: 'aborted_by_user', message: null },
  },
  {
    ...{ key: 'job.remove:j:0', kind: 'job.remove', subjectId: 'j' },
    payload: { kind: 'job.remove', hostId: 'h' },
  },
  {
    ...{ key: 'instance.terminate:i:0', kind: 'instance.terminate', subjectId: 'i' },
    payload: { kind: 'instance.terminate' },
  },
];

interface Scene {
  readonly start?: () => Promise<void>;
  readonly release?: InstancePort['release'];
  readonly linked?: boolean;
  readonly machineDeleted?: boolean;
}

/** A job on an instance whose agent is linked, and the outcomes of its intents. */
function scene({ start, release, linked = true, machineDeleted = false }: Scene) {
  const finished: { state: string; result: unknown; signals: readonly Signal[] | undefined }[] = [];
  const amended = new Map<string, Pick<IntentRecord, 'payload'>>();
  const handle = { id: 'm-1', data: null };
  const instance = {
    id: 'i',
    hostId: 'h',
    provisioningJobId: 'j',
    backend: 'aws',
    handle,
    deleted: machineDeleted,
  };
  const instances = { release: release ?? (async () => 'released') };
  const backend = { instances, capabilities: capabilitiesOf('aws') };
  const agent = { stopJob: async () => {}, deleteJob: async () => {} };
  const store = {
    engine: {
      announcedIntent: async (key: string) => {
        const found = INTENTS.find((one) => one.key === key);
        return found ? { ...found, ...amended.get(key) } : null;
      },
      amendIntent: async (key: string, payload: IntentPayload) => {
        amended.set(key, { payload });
        return true;
      },
      finishIntent: async (...[, state, result, , signals]: unknown[]) => {
        finished.push({ state: state as string, result, signals: signals as Signal[] });
        return true;
      },
    },
    jobs: {
      byId: async (id: string) =>
        id === 'j' ? { job: { id, instanceId: 'i' }, run: { id: 'r' } } : null,
      runOf: async (id: string) => (id === 'j' ? 'r' : null),
    },
    instances: { byId: async () => ({ instance }) },
    hosts: { byId: async () => null },
    reports: { byJobs: async () => [], logEnds: async () => [] },
  };
  const options = {
    store,
    hosts: { client: () => (linked ? agent : null) },
    starter: { start: start ?? (async () => {}) },
    backends: { find: async () => backend },
    now: () => 1,
    log: pino({ level: 'silent' }),
  };
  return { finished, carryOut: effects(options as unknown as EffectsOptions) };
}

const refused = (reason: string) => ({
  state: 'failed',
  result: expect.objectContaining({ kind: 'refused', reason }),
  signals: [{ kind: 'run', id: 'r' }],
});

describe('an effect', () => {
  it('that succeeds is recorded, and signals the run that decided it', async () => {
    const { finished, carryOut } = scene({});
    expect(await carryOut('job.stop:j:0')).toEqual({ ending: 'done' });
    expect(finished).toEqual([
      { state: 'done', result: { kind: 'ok' }, signals: [{ kind: 'run', id: 'r' }] },
    ]);
  });

  it('that starts a job signals no run: the agent reports the job', async () => {
    const { finished, carryOut } = scene({});
    expect(await carryOut('job.start:j:0')).toEqual({ ending: 'done' });
    expect(finished).toEqual([{ state: 'done', result: { kind: 'ok' }, signals: [] }]);
  });

  it('that is not announced, or no longer, is ignored', async () => {
    const { finished, carryOut } = scene({});
    expect(await carryOut('job.start:other:0')).toEqual({ ending: 'done' });
    expect(finished).toEqual([]);
  });

  it('on a job that was deleted does nothing', async () => {
    const { finished, carryOut } = scene({ linked: false });
    expect(await carryOut('job.release:gone:0')).toEqual({ ending: 'done' });
    expect(finished).toEqual([{ state: 'done', result: { kind: 'ok' }, signals: [] }]);
  });

  it('that has to wait for a link is tried again, without a line in the log', async () => {
    const { finished, carryOut } = scene({ linked: false });
    expect(await carryOut('job.start:j:0')).toEqual({ ending: 'retry', error: null });
    expect(finished).toEqual([]);
  });

  it('that the provider has only accepted is tried again, without a line in the log', async () => {
    const { finished, carryOut } = scene({ release: async () => 'releasing' });
    expect(await carryOut('instance.terminate:i:0')).toEqual({ ending: 'retry', error: null });
    expect(finished).toEqual([]);
  });

  it('that the provider has accepted is tried again as such, also by another process', async () => {
    const accepted: unknown[] = [];
    const release: InstancePort['release'] = async (_handle, how) => {
      accepted.push(how?.wasAccepted);
      return accepted.length < 2 ? 'releasing' : 'released';
    };
    const { finished, carryOut } = scene({ release });
    await carryOut('instance.terminate:i:0');
    expect(await carryOut('instance.terminate:i:0')).toEqual({ ending: 'done' });
    expect(accepted).toEqual([false, true]);
    expect(finished).toMatchObject([{ state: 'done' }]);
  });

  it('that a backend refuses is recorded as failed: the next attempt is a decision', async () => {
    const error = new BackendError('quota exceeded');
    const { finished, carryOut } = scene({ release: () => Promise.reject(error) });
    expect(await carryOut('instance.terminate:i:0')).toEqual({ ending: 'done' });
    expect(finished[0]).toMatchObject({ state: 'failed', result: { message: 'quota exceeded' } });
  });

  it('that a provider has no time for is no failed attempt, and is tried again soon', async () => {
    const release = () => Promise.reject(new BusyError('429'));
    const { finished, carryOut } = scene({ release });
    expect(await carryOut('instance.terminate:i:0')).toEqual({ ending: 'retry', error: null });
    expect(finished).toEqual([]);
  });

  it('that a backend may have carried out without an answer is tried again', async () => {
    const error = new NoAnswerError('connection reset');
    const { carryOut } = scene({ release: () => Promise.reject(error) });
    expect(await carryOut('instance.terminate:i:0')).toEqual({ ending: 'retry', error });
  });

  it('that fails for an unknown reason is tried again, with the error for the log', async () => {
    const error = new Error('the agent hung up');
    const { finished, carryOut } = scene({ start: () => Promise.reject(error) });
    expect(await carryOut('job.start:j:0')).toEqual({ ending: 'retry', error });
    expect(finished).toEqual([]);
  });

  it.each([
    [new JobSpecError('the secret X is missing'), 'terminated_by_server'],
    [new AgentRefusal(400, 'bad_spec', 'no such user'), 'executor_error'],
  ])('that no repetition can help is refused', async (error, reason) => {
    const { finished, carryOut } = scene({ start: () => Promise.reject(error) });
    expect(await carryOut('job.start:j:0')).toEqual({ ending: 'done' });
    expect(finished).toEqual([refused(reason)]);
  });

  it('that removes an ended job sends no signals', async () => {
    const { finished, carryOut } = scene({});
    await carryOut('job.remove:j:0');
    expect(finished).toEqual([{ state: 'done', result: { kind: 'ok' }, signals: [] }]);
  });

  it('that removes an ended job from a deleted machine is done, though no agent answers', async () => {
    const away = scene({ linked: false });
    await away.carryOut('job.remove:j:0');
    expect(away.finished).toEqual([]);
    const deleted = scene({ linked: false, machineDeleted: true });
    await deleted.carryOut('job.remove:j:0');
    expect(deleted.finished).toMatchObject([{ state: 'done', result: { kind: 'ok' } }]);
  });

  it('on a machine signals the instance and the run that it is created for', async () => {
    const { finished, carryOut } = scene({});
    await carryOut('instance.terminate:i:0');
    expect(finished[0]?.signals).toEqual([
      { kind: 'instance', id: 'i' },
      { kind: 'run', id: 'r' },
    ]);
  });
});
