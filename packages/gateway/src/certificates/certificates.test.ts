import { expect, it } from 'vitest';
import { renewalOf } from './certificates.ts';

const DAY = 86_400_000;

it('a certificate is renewed in its last third or a little earlier, at a whole millisecond', () => {
  const life = { from: 1_800_000_000_000, until: 1_800_000_000_000 + 90 * DAY };
  const times = Array.from({ length: 50 }, (_, index) => renewalOf(`run-${index}.test`, life));
  for (const at of times) {
    expect(Number.isInteger(at)).toBe(true);
    expect(at).toBeGreaterThan(life.from + 50 * DAY);
    expect(at).toBeLessThanOrEqual(life.from + 60 * DAY);
  }
  expect(new Set(times).size).toBeGreaterThan(40);
});
