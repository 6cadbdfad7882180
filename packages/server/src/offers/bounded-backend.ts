import {
  type Backend,
  type Claims,
  type GatewayPort,
  type GroupPort,
  type InstancePort,
  NoAnswerError,
  type VolumePort,
} from '@dstack/backends';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { BackendName } from '@dstack/core';

/** How long the server waits for an answer of a backend, in milliseconds. */
export interface BackendLimits {
  /** Users wait for plans, and placement waits for its offers. */
  readonly offers: number;
  /** Every other call begins something or reports a state; none waits for a machine. */
  readonly call: number;
}

const LIMITS: BackendLimits = { offers: 30_000, call: 60_000 };

/**
 * A backend has not answered. The call may still be under way; when it is repeated with the same
 * key, the backend carries it out or finds its result.
 */
export class BackendTimeoutError extends NoAnswerError {
  override name = 'BackendTimeoutError';
  readonly limitMs: number;

  constructor(backend: BackendName, what: string, limitMs: number) {
    super(`${backend} has not answered within ${limitMs / 1000} s, asked ${what}`);
    this.limitMs = limitMs;
  }
}

/** A call that never returns would block its pass, its slot in the queue and its key for ever. */
export function boundedBackend(backend: Backend, limits: BackendLimits = LIMITS): Backend {
  const within = <T>(
    limitMs: number,
    what: string,
    ask: (abandoned: AbortSignal) => Promise<T>,
  ): Promise<T> =>
    withTimeout(ask, {
      ms: limitMs,
      onTimeout: () => {
        throw new BackendTimeoutError(backend.name, what, limitMs);
      },
    });
  const call = <T>(what: string, ask: (abandoned: AbortSignal) => Promise<T>) =>
    within(limits.call, what, ask);
  const bounded = (its: InstancePort): InstancePort => ({
    ...its,
    // A machine that is ordered after its caller has given up may be one too many.
    create: (order) => call('for an instance', (signal) => its.create({ ...order, signal })),
    observe: (handle, seen) => call('about an instance', () => its.observe(handle, seen)),
    release: (handle, how) => call('to end an instance', () => its.release(handle, how)),
    list: (owner) => call('for a list of instances', () => its.list(owner)),
  });
  const boundedVolumes = (its: VolumePort): VolumePort => ({
    create: (order) => call('for a volume', () => its.create(order)),
    register: (id, where) => call('for a volume', () => its.register(id, where)),
    observe: (handle) => call('about a volume', () => its.observe(handle)),
    delete: (handle) => call('to delete a volume', () => its.delete(handle)),
    attach: (handle, to) => call('to attach a volume', () => its.attach(handle, to)),
    detach: (handle, from, options) =>
      call('to detach a volume', () => its.detach(handle, from, options)),
    list: (owner) => call('for a list of volumes', () => its.list(owner)),
  });
  const boundedGroups = (its: GroupPort): GroupPort => ({
    create: (order) => call('for a group', () => its.create(order)),
    delete: (handle) => call('to delete a group', () => its.delete(handle)),
    list: (owner) => call('for a list of groups', () => its.list(owner)),
  });
  const boundedGateways = ({ maintain, ...its }: GatewayPort): GatewayPort => ({
    ...its,
    ...(maintain && {
      maintain: (handle, order) => call('to keep a gateway', () => maintain(handle, order)),
    }),
    create: (order) => call('for a gateway', () => its.create(order)),
    observe: (handle) => call('about a gateway', () => its.observe(handle)),
    release: (handle, how) => call('to end a gateway', () => its.release(handle, how)),
    list: (owner) => call('for a list of gateways', () => its.list(owner)),
  });
  const boundedClaims = (its: Claims): Claims => ({
    read: (owner) => call('for claims', () => its.read(owner)),
    renew: (owner, claim) => call('to renew a claim', () => its.renew(owner, claim)),
  });
  return {
    ...backend,
    offers: (requirements) =>
      within(limits.offers, 'for offers', () => backend.offers(requirements)),
    check: () => call('to check its permissions', () => backend.check()),
    instances: backend.instances && bounded(backend.instances),
    volumes: backend.volumes && boundedVolumes(backend.volumes),
    groups: backend.groups && boundedGroups(backend.groups),
    ...(backend.gateways && { gateways: boundedGateways(backend.gateways) }),
    ...(backend.claims && { claims: boundedClaims(backend.claims) }),
  };
}
