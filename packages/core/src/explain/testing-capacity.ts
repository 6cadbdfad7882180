/** Shared by the tests of instances, fleets, volumes and gateways. */
import { expect } from 'vitest';
import { SECOND } from '../model/values.ts';
import { aContext } from '../placement/testing.ts';
import type { Diagnosis } from './diagnosis.ts';
import { NOW } from './testing.ts';

const MINUTE = 60 * SECOND;
export const CTX = {
  now: NOW + MINUTE,
  settings: aContext().settings,
  viewer: { projects: new Set(['project-1']) },
};
export const PROJECTS = { 'project-1': 'main', 'project-2': 'other' };

export interface Expected {
  readonly state: Diagnosis['state'];
  readonly rules: readonly string[];
  readonly summary: string;
  /** Minutes from `NOW`. */
  readonly until?: number;
  readonly attempt?: number;
  readonly fixes?: readonly string[];
}

export function expectExplained(diagnosis: Diagnosis, expected: Expected): void {
  expect(diagnosis.state).toBe(expected.state);
  expect(diagnosis.reasons.map((one) => one.rule)).toEqual(expected.rules);
  expect(diagnosis.summary).toContain(expected.summary);
  expect(diagnosis.summary).not.toMatch(/\b(null|undefined|NaN)\b/);
  if (expected.until !== undefined) expect(diagnosis.until).toBe(NOW + expected.until * MINUTE);
  if (expected.attempt !== undefined) expect(diagnosis.attempt).toBe(expected.attempt);
  for (const wanted of expected.fixes ?? [])
    expect(JSON.stringify(diagnosis.fixes)).toContain(wanted);
}
