import { type Backend, BackendError, type Compute } from '@dstack/backends';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { BackendName } from '@dstack/core';

/** How long the server waits for an answer of a backend, in milliseconds. */
export interface BackendLimits {
  /** People wait for plans, and placement for what it may choose from. */
  readonly offers: number;
  /** Some providers answer when the machine is there. */
  readonly create: number;
  readonly terminate: number;
}

const LIMITS: BackendLimits = { offers: 30_000, create: 900_000, terminate: 300_000 };

/**
 * A backend has not answered. What it was asked to do may be under way still, and is done, or found
 * done, when it is asked again with the same key.
 */
export class BackendSilentError extends BackendError {
  override name = 'BackendSilentError';
  readonly limitMs: number;

  constructor(backend: BackendName, what: string, limitMs: number) {
    super(`${backend} has not answered within ${limitMs / 1000} s, asked ${what}`);
    this.limitMs = limitMs;
  }
}

/** A call that never returns would hold its pass, its slot in the queue and its key for ever. */
export function boundedBackend(backend: Backend, limits: BackendLimits = LIMITS): Backend {
  const { name, compute } = backend;
  const within = <T>(limitMs: number, what: string, ask: () => Promise<T>): Promise<T> =>
    withTimeout(ask, {
      ms: limitMs,
      onTimeout: () => {
        throw new BackendSilentError(name, what, limitMs);
      },
    });
  const boundedCompute = (its: Compute): Compute => ({
    createInstance: (offer, order) =>
      within(limits.create, 'for an instance', () => its.createInstance(offer, order)),
    terminateInstance: (data) =>
      within(limits.terminate, 'to end an instance', () => its.terminateInstance(data)),
  });
  return {
    name,
    signalsCapacity: backend.signalsCapacity,
    offers: (requirements) =>
      within(limits.offers, 'for offers', () => backend.offers(requirements)),
    compute: compute && boundedCompute(compute),
  };
}
