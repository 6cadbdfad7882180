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

test.each([
  ['gpu', 4, 'Quota: 6 of 8 GPUs used, this run needs 4'],
  ['instances', 1e-6, 'Quota: 6 of 8 instances used, this run needs more'],
])(
  'a quota of %s that leaves too little names what is needed, if it is known',
  (resource, needed, text) => {
    const kept = { resource, needed, used: 6, limit: 8, of: 'project', fleet: null, held: false };
    expect(refusalText({ kind: 'quota', ...kept } as Refusal)).toBe(text);
  },
);
