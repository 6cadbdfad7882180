/** Shared by the tests of runs without a place. */
import { expect } from 'vitest';
import type { InstanceRecord } from '../model/index.ts';
import { aFleet, anInstance, anOffer, CLOUD, type OfferFields } from '../placement/testing.ts';
import { diagnose, NOW, type Situation } from './testing.ts';

/** An SSH fleet with two hosts. */
export const LAB = aFleet('lab', { ssh_config: { user: 'u', hosts: ['a', 'b'] } });
export const CLUSTER = aFleet('cluster', {
  placement: 'cluster',
  ssh_config: { user: 'u', hosts: ['a'] },
});

export const REMOTE: OfferFields = { backend: 'remote', region: 'remote', price: 0 };
export const BUSY = { status: 'busy', busyBlocks: 1 } as const;

export function host(num: number, patch: Partial<InstanceRecord> = {}, machine: OfferFields = {}) {
  return anInstance(LAB, num, anOffer({ ...REMOTE, ...machine }), patch);
}

export const busy = host(0, BUSY);
export const cloudBusy = anInstance(CLOUD, 0, anOffer(), BUSY);
export const WAITS = { refusal: { kind: 'no-fleets' }, waitingSince: NOW } as const;

export interface Expected {
  /** The first is `waiting_for`. */
  readonly rules: readonly string[];
  readonly summary: string;
  /** Values or commands that the fixes must contain. */
  readonly fixes?: readonly string[];
  /** Texts that must not appear anywhere. */
  readonly no?: readonly string[];
}

export type Waits = readonly [name: string, situation: Situation, expected: Expected];

export function expectWaiting(situation: Situation, expected: Expected): void {
  const diagnosis = diagnose(situation);
  expect(diagnosis.reasons.map((one) => one.rule)).toEqual(expected.rules);
  expect(diagnosis.state).toBe('waiting');
  expect(diagnosis.waiting_for).toBe(expected.rules[0]);
  expect(diagnosis.summary).toContain(expected.summary);
  expect(diagnosis.summary).not.toMatch(/\b(null|undefined|NaN)\b/);
  const fixes = diagnosis.fixes.map(({ text, command, value }) =>
    [text, command, value].join('\n'),
  );
  for (const wanted of expected.fixes ?? []) expect(fixes.join('\n')).toContain(wanted);
  const everything = JSON.stringify(diagnosis);
  for (const unwanted of expected.no ?? []) expect(everything).not.toContain(unwanted);
}
