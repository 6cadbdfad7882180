/**
 * Many instances are alike. What a job would get of an instance depends on its machine, and on little
 * else; so it is computed once for each machine and each query, not once for each instance.
 */
import type { InstanceRecord } from '../model/index.ts';
import type { OfferQuery } from './findings.ts';
import { type ShareMatch, shareOfInstance } from './pool.ts';

/** Equal for instances on which each job would get an equal share; null: the machine is not known. */
export type Likeness = string | null;

/** By record: a record never changes, its next version is another one. */
const keys = new WeakMap<InstanceRecord, { readonly key: Likeness }>();

/** A short key for each text. A text that was forgotten gets another key: its machines look unlike. */
const shortKeys = new Map<string, string>();
const MOST_KEYS = 10_000;
let keysGiven = 0;

export function likenessOf(instance: InstanceRecord): Likeness {
  const known = keys.get(instance);
  if (known) return known.key;
  const key = instance.offer === null ? null : shortKey(textOf(instance));
  keys.set(instance, { key });
  return key;
}

/** All that `shareOfInstance` and the findings about a machine read. */
function textOf({ offer, totalBlocks, backend, region, provisioningData }: InstanceRecord): string {
  const zone = provisioningData?.availability_zone ?? null;
  const type = provisioningData?.instance_type.name ?? null;
  return JSON.stringify([offer, totalBlocks, backend, region, zone, type]);
}

function shortKey(text: string): string {
  const known = shortKeys.get(text);
  if (known !== undefined) return known;
  if (shortKeys.size >= MOST_KEYS) shortKeys.clear();
  const key = `m${keysGiven++}`;
  shortKeys.set(text, key);
  return key;
}

/** Values that depend on the machine of an instance only. */
export class PerLikeness<T> {
  readonly #compute: (instance: InstanceRecord) => T;
  readonly #known = new Map<string, T>();

  constructor(compute: (instance: InstanceRecord) => T) {
    this.#compute = compute;
  }

  of(instance: InstanceRecord): T {
    const key = likenessOf(instance);
    if (key === null) return this.#compute(instance);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const value = this.#compute(instance);
    this.#known.set(key, value);
    return value;
  }
}

/** The shares that a job would get of instances. */
export function sharesFor(query: OfferQuery): PerLikeness<ShareMatch | null> {
  return new PerLikeness((instance) => shareOfInstance(instance, query));
}
