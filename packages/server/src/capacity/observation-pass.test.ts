import { BackendError, type InstanceAccess, type Observation } from '@dstack/backends';
import type { InstanceRecord, ObservationRecord, Signal } from '@dstack/core';
import { anOffer, instanceRecord } from '@dstack/core/testing';
import type { NewHostAccess } from '@dstack/store';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { type ObservationDeps, observationPass } from './observation-pass.ts';

const NOW = 1_000_000_000;

interface World {
  readonly instance?: Partial<InstanceRecord>;
  readonly known?: ObservationRecord;
  readonly answer?: () => Promise<Observation>;
  /** The backend reports changes itself. */
  readonly watches?: boolean;
  /** It reports some of them only. */
  readonly watchesPartly?: boolean;
  /** Another server is linked to its host. */
  readonly isElsewhere?: boolean;
  readonly failsToSave?: boolean;
  readonly now?: number;
}

interface Extras {
  readonly signals?: readonly Signal[];
  readonly access?: NewHostAccess | null;
}

/** One instance `i`, and the writes of a pass about it. */
function world({ instance, known, answer, watches = false, ...how }: World) {
  const { isElsewhere = false, failsToSave = false, watchesPartly = false, now = NOW } = how;
  const saved: ObservationRecord[] = [];
  const signals: Signal[] = [];
  const accesses: NewHostAccess[] = [];
  const followed: string[] = [];
  const armed: (number | null)[] = [];
  const row = instanceRecord({ id: 'i', offer: anOffer(), status: 'provisioning', ...instance });
  const instances = {
    observe: answer ?? (async () => ({ state: 'missing' })),
    ...(watches ? { watch: () => () => {}, watchesPartly } : {}),
  };
  const deps = {
    store: {
      observations: {
        ofInstance: async () => ({ instance: row, observation: known ?? null }),
        save: async (record: ObservationRecord, extras: Extras = {}) => {
          if (failsToSave) throw new Error('disk full');
          saved.push(record);
          signals.push(...(extras.signals ?? []));
          if (extras.access) accesses.push(extras.access);
        },
      },
      hosts: { byId: async () => null },
      projects: { privateKey: async () => 'the project’s key' },
    },
    backends: { find: async () => (answer || watches ? { instances } : null) },
    links: { follow: async (id: string) => void followed.push(id) },
    hosts: { isElsewhere: async () => isElsewhere },
    now: () => now,
    arm: (_kind: string, _id: string, at: number | null) => void armed.push(at),
    log: pino({ level: 'silent' }),
  } as unknown as ObservationDeps;
  const run = () => observationPass(deps)('i');
  return { run, saved, signals, accesses, followed, armed };
}

const booting = async (): Promise<Observation> => ({ state: 'pending', text: 'booting' });
const ready = (access: InstanceAccess | null) => async (): Promise<Observation> => ({
  ...{ state: 'ready', machine: null, access },
});

it('stores what the backend reports, signals the instance and sets the time of the next question', async () => {
  const { run, saved, signals, armed } = world({ answer: booting });
  expect(await run()).toEqual({ ending: 'done' });
  expect(saved[0]?.observation).toEqual({ state: 'pending', text: 'booting' });
  expect(signals).toEqual([{ kind: 'instance', id: 'i' }]);
  expect(armed).toEqual([NOW + 1_000_000]);
});

it('stores nothing and sends no signal while the answer stays the same, and asks again', async () => {
  const first = world({ answer: booting });
  await first.run();
  const [known] = first.saved;
  const { run, saved, signals, armed } = world({ answer: booting, ...(known ? { known } : {}) });
  await run();
  expect([saved, signals]).toEqual([[], []]);
  expect(armed).toEqual([NOW + 1_000_000]);
});

it('leaves an instance to the server that is linked to its host', async () => {
  const known = { nextPassAt: NOW } as ObservationRecord;
  const { run, saved, armed, followed } = world({
    ...{ instance: { hostId: 'i' }, known, answer: ready(null), isElsewhere: true },
  });
  expect(await run()).toEqual({ ending: 'done' });
  expect([saved, armed, followed]).toEqual([[], [null], []]);
});

it('stores a login with the project’s key and a fresh token, and has the agent linked', async () => {
  const login = { hostname: '10.0.0.9', port: 22, user: 'ubuntu' };
  const access = { kind: 'ssh', ...login, hostKey: 'AAAA' } as const;
  const { run, accesses, followed, saved } = world({ answer: ready(access) });
  await run();
  expect(accesses[0]?.access).toEqual({
    kind: 'ssh',
    login: { ...login, privateKey: 'the project’s key' },
    proxy: null,
    internalIp: null,
    vm: { hostKey: 'AAAA' },
  });
  expect(accesses[0]?.agentToken).toMatch(/^[0-9a-f]{64}$/);
  expect(followed).toEqual(['i']);
  expect(JSON.stringify(saved)).not.toContain('10.0.0.9');
});

it('stores the access once', async () => {
  const access = { kind: 'socket', path: '/run/agent', token: 'secret' } as const;
  const first = world({ answer: ready(access) });
  await first.run();
  expect(first.accesses).toEqual([
    { instanceId: 'i', agentToken: 'secret', access: { kind: 'socket', path: '/run/agent' } },
  ]);
  const [known] = first.saved;
  const { run, accesses, followed } = world({ answer: ready(access), ...(known ? { known } : {}) });
  await run();
  expect(accesses).toEqual([]);
  expect(followed).toEqual(['i']);
});

it('has the link opened only once the access is stored', async () => {
  const { run, saved, followed } = world({ answer: ready(null), failsToSave: true });
  await expect(run()).rejects.toThrow('disk full');
  expect([saved, followed]).toEqual([[], []]);
});

it('has the link opened with an access that is already stored', async () => {
  const { run, accesses, followed } = world({ answer: ready(null), watches: true });
  await run();
  expect(accesses).toEqual([]);
  expect(followed).toEqual(['i']);
});

it('does not ask again about a ready instance whose backend reports changes', async () => {
  const { run, armed } = world({ answer: ready(null), watches: true });
  await run();
  expect(armed).toEqual([null]);
});

it('asks again about a ready instance whose backend reports some changes only', async () => {
  const { run, armed } = world({ answer: ready(null), watches: true, watchesPartly: true });
  await run();
  expect(armed).toEqual([NOW + 5_000_000]);
});

it('asks about all ready instances in the same moments: those of full seconds', async () => {
  const { run, saved, armed } = world({
    ...{ answer: ready(null), watches: true, watchesPartly: true, now: NOW + 300_000 },
  });
  await run();
  expect(saved[0]?.nextPassAt).toBe(NOW + 5_300_000);
  expect(armed).toEqual([NOW + 6_000_000]);
});

it('asks about an instance that starts as soon as the question is due', async () => {
  const { run, armed } = world({ answer: booting, now: NOW + 300_000 });
  await run();
  expect(armed).toEqual([NOW + 1_300_000]);
});

it('keeps the last answer when the backend cannot be asked, with the cause for people', async () => {
  const answer = () => Promise.reject(new BackendError('500 Internal Server Error'));
  const { run, saved, armed } = world({ answer });
  await run();
  expect(saved[0]).toMatchObject({
    observation: { state: 'pending' },
    error: '500 Internal Server Error',
  });
  expect(armed).toEqual([NOW + 1_000_000]);
});

it('names a backend that is no longer configured', async () => {
  const { run, saved } = world({});
  await run();
  expect(saved[0]?.error).toBe('backend aws is not configured');
});

it('does not observe an instance that is ending, and clears its alarm', async () => {
  const known = { nextPassAt: NOW } as ObservationRecord;
  const { run, saved, armed, followed } = world({
    ...{ instance: { status: 'terminating' }, known },
    answer: ready(null),
  });
  await run();
  expect([saved[0]?.nextPassAt, armed, followed]).toEqual([null, [null], []]);
});
