import type { Backend } from '@dstack/backends';
import type { VolumeObservation, VolumeObservationRecord, VolumeRecord } from '@dstack/core';
import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { volumeObservationPass } from './volume-observation-pass.ts';

const HANDLE = { id: 'vol-1', region: 'eu', data: null };
const READY: Extract<VolumeObservation, { readonly state: 'ready' }> = {
  state: 'ready',
  ...{ sizeGib: 1, usedGib: null, availabilityZone: null, price: 0, shared: true },
};

let now: number;
let volume: VolumeRecord;
let saved: VolumeObservationRecord | null;
let signalled: number;
let armed: (number | null)[];
let answer: () => Promise<VolumeObservation>;
let elsewhere: boolean;

beforeEach(() => {
  now = 1_000_000;
  volume = {
    ...{ id: 'v', projectId: 'p', name: 'data', backend: 'remote', handle: HANDLE },
    ...{ deleted: false, toBeDeleted: false, hostId: 'h' },
  } as VolumeRecord;
  [saved, signalled, armed, elsewhere] = [null, 0, [], false];
  answer = async () => READY;
});

async function pass(): Promise<void> {
  const store = {
    volumes: { byId: async () => ({ volume }) },
    volumeObservations: {
      byVolumes: async () => (saved ? [saved] : []),
      save: async (record: VolumeObservationRecord, extras?: { signals: unknown[] }) => {
        saved = record;
        signalled += extras?.signals.length ?? 0;
      },
    },
  };
  await volumeObservationPass({
    store: store as never,
    backends: {
      find: async () => ({ volumes: { observe: () => answer() } }) as unknown as Backend,
    },
    hosts: { isElsewhere: async () => elsewhere },
    now: () => now,
    arm: (_kind, _id, at) => armed.push(at),
    log: pino({ level: 'silent' }),
  })('v');
}

describe('asking about a volume', () => {
  it('stores the answer, and signals the volume if it is new', async () => {
    await pass();
    expect(saved).toMatchObject({ observation: READY, error: null });
    expect(armed).toEqual([saved?.nextPassAt]);
    const stored = saved;
    now += 5_000_000;
    await pass();
    expect(signalled).toBe(1);
    expect(saved).toBe(stored);
    expect(armed.at(-1)).toBeGreaterThan(now);
    answer = async () => ({ ...READY, usedGib: 2 });
    await pass();
    expect(signalled).toBe(2);
  });

  it('keeps the last answer while there is no new one', async () => {
    await pass();
    answer = () => Promise.reject(new Error('not connected'));
    await pass();
    expect(saved).toMatchObject({ observation: READY, error: 'not connected' });
  });

  it('ends with the volume', async () => {
    await pass();
    volume = { ...volume, toBeDeleted: true };
    await pass();
    expect(saved?.nextPassAt).toBeNull();
    expect(armed.at(-1)).toBeNull();
  });

  it('is left to the server that is linked to the host', async () => {
    elsewhere = true;
    await pass();
    expect(saved).toBeNull();
    expect(armed).toEqual([null]);
  });
});
