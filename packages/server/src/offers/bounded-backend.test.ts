import {
  type Backend,
  type GatewayOrder,
  type InstanceOrder,
  type InstancePort,
  NoAnswerError,
} from '@dstack/backends';
import type { Requirements } from '@dstack/contract/wire';
import { capabilitiesOf, type Offer } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { BackendTimeoutError, boundedBackend } from './bounded-backend.ts';

const requirements = {} as Requirements;
const offer = { instance: { name: 'a100' } } as Offer;
const order = {} as InstanceOrder;
const gateway = {} as GatewayOrder;
const handle = { id: 'm-1', data: null };

const silence = () => new Promise<never>(() => {});
const silent: Backend = {
  name: 'aws',
  capabilities: capabilitiesOf('aws'),
  signalsCapacity: false,
  offers: silence,
  instances: { create: silence, observe: silence, release: silence, list: silence },
  volumes: null,
  groups: { create: silence, delete: silence, list: silence },
  gateways: {
    ...{ create: silence, observe: silence, maintain: silence, release: silence, list: silence },
  },
  claims: { read: silence, renew: silence },
  check: silence,
};

const bounded = boundedBackend(silent, { offers: 1, call: 2 });

describe('a backend with limits', () => {
  it.each([
    ['for offers', () => bounded.offers(requirements), '0.001 s'],
    ['for an instance', () => bounded.instances?.create(order), '0.002 s'],
    ['about an instance', () => bounded.instances?.observe(handle, { facts: null }), '0.002 s'],
    ['to end an instance', () => bounded.instances?.release(handle), '0.002 s'],
    ['for a list of instances', () => bounded.instances?.list({ server: 's' }), '0.002 s'],
    ['to delete a group', () => bounded.groups?.delete(handle), '0.002 s'],
    ['for a gateway', () => bounded.gateways?.create(gateway), '0.002 s'],
    ['to keep a gateway', () => bounded.gateways?.maintain?.(handle, gateway), '0.002 s'],
    ['for claims', () => bounded.claims?.read({ server: 's' }), '0.002 s'],
    [
      'to renew a claim',
      () => bounded.claims?.renew({ server: 's' }, { claimant: 'c', nonce: 'n' }),
      '0.002 s',
    ],
    ['to check its permissions', () => bounded.check(), '0.002 s'],
  ])('that is asked %s and does not answer is in error', async (what, ask, limit) => {
    const failure = await Promise.resolve(ask()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(BackendTimeoutError);
    // The call may still be under way.
    expect(failure).toBeInstanceOf(NoAnswerError);
    expect(String(failure)).toContain(`aws has not answered within ${limit}, asked ${what}`);
  });

  it('passes answers and errors of the backend on unchanged', async () => {
    const broken = new Error('no credentials');
    const answering = boundedBackend({
      ...silent,
      offers: async () => ({ offers: [offer], notes: [] }),
      instances: {
        create: () => Promise.reject(broken),
        observe: async () => ({ state: 'missing' }),
        release: async () => 'releasing',
        list: async () => [],
      },
    });
    expect(await answering.offers(requirements)).toEqual({ offers: [offer], notes: [] });
    await expect(answering.instances?.create(order)).rejects.toBe(broken);
    expect(await answering.instances?.release(handle)).toBe('releasing');
  });

  it('notifies the backend when the caller has given up', async () => {
    const signals: (AbortSignal | undefined)[] = [];
    const create = async ({ signal }: InstanceOrder) => {
      signals.push(signal);
      return await silence();
    };
    const instances = { ...(silent.instances as InstancePort), create };
    const slow = boundedBackend({ ...silent, instances }, { offers: 1, call: 2 });
    await expect(slow.instances?.create(order)).rejects.toBeInstanceOf(BackendTimeoutError);
    expect(signals.map((signal) => signal?.aborted)).toEqual([true]);
  });

  it('creates no instances if the backend creates none', () => {
    expect(boundedBackend({ ...silent, instances: null }).instances).toBeNull();
  });
});
