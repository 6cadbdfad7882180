import { expect, test } from 'vitest';
import type { Finding, Refusal, Rule } from './refusal.ts';
import { refusalText } from './refusal-text.ts';

const finding = (rule: Rule, count = 1): Finding =>
  ({ rule, asked: null, has: null, count, property: null }) as Finding;

/** A fleet of hosts whose instances are ruled out by these rules. */
const onlyFleet = (...pool: Finding[]): Refusal => ({
  kind: 'no-place',
  nodes: 1,
  selected: false,
  fleets: [{ fleet: 'lab', verdict: 'full', pool, growth: finding('fixed_size') }],
});

test.each([
  [[finding('busy', 2)], 'Fleet lab is at capacity: instances: 2 busy'],
  [[finding('busy'), finding('not_ready')], 'is at capacity: instances: 1 busy, 1 not ready yet'],
  [[finding('not_ready', 2)], 'Fleet lab cannot take the run now: instances: 2 not ready yet'],
  [[finding('unreachable')], 'Fleet lab cannot take the run now: instances: 1 unreachable'],
])('a fleet is only called full if a free instance would fit (%#)', (pool, text) => {
  expect(refusalText(onlyFleet(...pool))).toContain(text);
});
