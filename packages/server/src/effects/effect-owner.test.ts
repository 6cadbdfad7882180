import type { BackendName, IntentPayload } from '@dstack/core';
import { instanceRecord, jobRecord } from '@dstack/core/testing';
import { expect, it } from 'vitest';
import { effectIsOurs } from './effect-owner.ts';
import { INTENTS } from './intents/index.ts';

interface Situation {
  readonly payload?: IntentPayload;
  readonly key?: string;
  readonly shared?: boolean;
  /** The backend of the job's instance, or of the instance or volume that the effect is about. */
  readonly backend?: BackendName;
  readonly hostId?: string | null;
  /** Instance of the job. */
  readonly instanceId?: string | null;
}

/** Whether the effect belongs to this server if another server is linked to the host `there`. */
function isOurs({
  payload,
  key = 'job.start:j:0',
  shared = true,
  backend = 'aws',
  ...of
}: Situation): Promise<boolean> {
  const instance = instanceRecord({ id: 'there', backend, hostId: of.hostId ?? null });
  const job = jobRecord({ instanceId: of.instanceId === undefined ? 'there' : of.instanceId });
  const subject = payload && INTENTS[payload.kind].subject;
  const subjectId = subject === 'job' ? job.id : instance.id;
  const store = {
    shared,
    engine: {
      announcedIntent: async () => (payload ? { kind: payload.kind, payload, subjectId } : null),
    },
    jobs: { byId: async (id: string) => (id === job.id ? { job } : null) },
    volumes: { byId: async () => ({ volume: { backend, hostId: null } }) },
    instances: { byId: async (id: string) => (id === instance.id ? { instance } : null) },
  };
  const hosts = { isElsewhere: async (hostId: string) => hostId === 'there' };
  return effectIsOurs({ store: store as never, hosts })(key);
}

const start: IntentPayload = { kind: 'job.start', hold: false };
const remove = (hostId: string): IntentPayload => ({ kind: 'job.remove', hostId });
const detach: IntentPayload = {
  ...{ kind: 'volume.detach', volumeId: 'v', instanceId: 'there', force: false },
};
const terminate: IntentPayload = { kind: 'instance.terminate' };

it.each<[string, Situation]>([
  ['a job on the host', { payload: start, hostId: 'there' }],
  ['the removal of a job from the host', { payload: remove('there') }],
  ['the detachment of a volume that its agent unmounts', { payload: detach, hostId: 'there' }],
  ['the removal of the host', { payload: terminate, backend: 'remote' }],
])('%s is left to the server that is linked to it', async (_what, situation) => {
  expect(await isOurs(situation)).toBe(false);
});

it.each<[string, Situation]>([
  ['a job on a host without a link elsewhere', { payload: start, hostId: 'here' }],
  ['the removal of a job from such a host', { payload: remove('here') }],
  ['a job that has no host yet', { payload: start, hostId: null }],
  ['a job without an instance', { payload: start, instanceId: null }],
  ['a job whose instance was deleted', { payload: start, instanceId: 'deleted' }],
  ['the end of a cloud machine', { payload: terminate, backend: 'aws', hostId: 'there' }],
  ['an effect that is not announced any more', {}],
  ['everything where servers share no database', { payload: remove('there'), shared: false }],
])('%s is carried out by whichever server comes first', async (_what, situation) => {
  expect(await isOurs(situation)).toBe(true);
});

it('an effect that a newer server has announced is left to it', async () => {
  expect(await isOurs({ key: 'job.freeze:j:0' })).toBe(false);
  expect(await isOurs({ key: 'job.freeze:j:0', shared: false })).toBe(false);
});
