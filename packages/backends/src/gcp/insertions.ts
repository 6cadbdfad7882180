/**
 * Insertions of machines that Google has accepted and not finished: most end within seconds, and one that fails then
 * leaves nothing but the reason.
 */
import { errorMessage } from '@dstack/contract/error-message';
import type { Offer } from '@dstack/core';
import { BackendError, BusyError, NoAnswerError, NoCapacityError } from '../base/errors.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { MissingThingError } from '../base/rest-vm/refusals.ts';
import type { Vm } from '../base/rest-vm/vm-cloud.ts';
import type { Compute, GcpOperation } from './compute.ts';
import { operationError, SOLD_OUT } from './refusals.ts';

export interface InsertionsOptions {
  readonly compute: Pick<Compute, 'zoneOperation'>;
  readonly pace: CallPace;
}

/** A machine whose insertion is under way, or has failed. */
export interface Insertion {
  /** The id of the machine. */
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  readonly region: string;
  readonly instance: Offer['instance'];
}

interface Pending extends Insertion {
  readonly operation: string;
  readonly since: number;
}

/** How long an order waits for its machine: within this time the next zone can be tried at once. */
const WAIT_MS = 10_000;
const LOOK_MS = 1000;
/** Operations that are asked about with one list. */
const MOST_LOOKS = 20;
/** Later ones have ended, or are about machines that lists contain. */
const FOLLOWED_MS = 900_000;

/** The status of a machine that was accepted, and then could not be made. */
export const FAILED = 'FAILED';

export class Insertions {
  readonly #options: InsertionsOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #failed = new Map<string, { readonly vm: Vm; readonly at: number }>();

  constructor(options: InsertionsOptions) {
    this.#options = options;
  }

  /** Waits a moment for its end. Throws the error with which it failed; one that goes on is followed. */
  async settle(operation: GcpOperation, of: Insertion): Promise<void> {
    const { pace } = this.#options;
    const since = pace.now();
    let last: GcpOperation | null = operation;
    while (last?.status !== 'DONE' && pace.now() - since < WAIT_MS) {
      await pace.delay(LOOK_MS);
      last = (await this.#look(of.zone, operation.name)) ?? last;
    }
    const error = last === null ? null : errorOf(last);
    if (error !== null) throw error;
    if (last?.status !== 'DONE') {
      this.#pending.set(of.id, { ...of, operation: operation.name, since });
    }
  }

  /** Looks at those of a region that are under way, and returns what has failed there as machines that have ended. */
  async failed(region: string): Promise<readonly Vm[]> {
    const { pace } = this.#options;
    this.#forget(pace.now());
    const pending = [...this.#pending.values()].filter((one) => one.region === region);
    await Promise.all(pending.slice(0, MOST_LOOKS).map((one) => this.#follow(one)));
    return [...this.#failed.values()].map(({ vm }) => vm).filter((vm) => vm.region === region);
  }

  async #follow(pending: Pending): Promise<void> {
    const { id, zone, operation } = pending;
    const found = await this.#look(zone, operation);
    // The next list asks again, after the others.
    this.#pending.delete(id);
    if (found === null) this.#pending.set(id, pending);
    else if (found.status !== 'DONE') this.#pending.set(id, pending);
    const error = found === null ? null : errorOf(found);
    if (error === null) return;
    this.#failed.set(id, { vm: failedVm(pending, error), at: this.#options.pace.now() });
  }

  /** Null: Google does not say. The machine was accepted, so that no error of this look is one of its order. */
  async #look(zone: string, operation: string): Promise<GcpOperation | null> {
    try {
      return await this.#options.compute.zoneOperation(zone, operation);
    } catch (error) {
      // It is forgotten after its end: the list decides.
      if (error instanceof MissingThingError) return { name: operation, status: 'DONE' };
      if (error instanceof BackendError) return null;
      throw error;
    }
  }

  #forget(now: number): void {
    for (const [id, { since }] of this.#pending) {
      if (now - since > FOLLOWED_MS) this.#pending.delete(id);
    }
    for (const [id, { at }] of this.#failed) if (now - at > FOLLOWED_MS) this.#failed.delete(id);
  }
}

/** Null: it has not failed. */
function errorOf({ status, error }: GcpOperation): BackendError | null {
  const [first] = error?.errors ?? [];
  if (status !== 'DONE' || first === undefined) return null;
  const meant = operationError(first);
  // The order was accepted and failed: whether it is worth to repeat it is decided like that of any other.
  return meant instanceof NoAnswerError || meant instanceof BusyError
    ? new BackendError(errorMessage(meant))
    : meant;
}

/** It has no tags: a repetition of its order makes another one. */
function failedVm({ id, name, zone, region, instance }: Pending, error: BackendError): Vm {
  const isSoldOut = error instanceof NoCapacityError;
  return {
    ...{ id, name, zone, region, instance, status: isSoldOut ? SOLD_OUT : FAILED, isOver: true },
    ...{ price: null, address: null, privateAddress: null, tags: {}, problem: error.message },
  };
}
