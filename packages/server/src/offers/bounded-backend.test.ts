import type { Backend, InstanceOrder } from '@dstack/backends';
import type { Requirements } from '@dstack/contract/wire';
import type { Offer, ProvisioningData } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { BackendSilentError, boundedBackend } from './bounded-backend.ts';

const requirements = {} as Requirements;
const offer = { instance: { name: 'a100' } } as Offer;
const order = { instanceName: 'pool-0' } as InstanceOrder;
const data = {} as ProvisioningData;

const silence = () => new Promise<never>(() => {});
const silent: Backend = {
  name: 'aws',
  signalsCapacity: false,
  offers: silence,
  compute: { createInstance: silence, terminateInstance: silence },
};

const SHORT = { offers: 1, create: 2, terminate: 3 };

describe('a backend with limits', () => {
  it.each([
    ['for offers', () => boundedBackend(silent, SHORT).offers(requirements), '0.001 s'],
    [
      'for an instance',
      () => boundedBackend(silent, SHORT).compute?.createInstance(offer, order),
      '0.002 s',
    ],
    [
      'to end an instance',
      () => boundedBackend(silent, SHORT).compute?.terminateInstance(data),
      '0.003 s',
    ],
  ])('that is asked %s and says nothing is in error', async (what, ask, limit) => {
    const failure = await Promise.resolve(ask()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(BackendSilentError);
    expect(String(failure)).toContain(`aws has not answered within ${limit}, asked ${what}`);
  });

  it('gives answers and errors of the backend as they are', async () => {
    const broken = new Error('no credentials');
    const bounded = boundedBackend({
      name: 'aws',
      signalsCapacity: false,
      offers: async () => [offer],
      compute: {
        createInstance: () => Promise.reject(broken),
        terminateInstance: async () => 'pending',
      },
    });
    expect(await bounded.offers(requirements)).toEqual([offer]);
    await expect(bounded.compute?.createInstance(offer, order)).rejects.toBe(broken);
    expect(await bounded.compute?.terminateInstance(data)).toBe('pending');
  });

  it('makes no machines where the backend makes none', () => {
    expect(boundedBackend({ ...silent, compute: null }).compute).toBeNull();
  });
});
