import { describe, expect, it } from 'vitest';
import { stableFraction, stableHash } from './stable-hash.ts';

describe('a stable hash', () => {
  it('is the same in every process and release', () => {
    expect(stableHash('')).toBe('ab3e7c0bebb6c228');
    expect(stableHash('{"cpu":"2.."}')).toBe(stableHash('{"cpu":"2.."}'));
  });

  it('differs for texts that differ in one character', () => {
    const texts = Array.from({ length: 20_000 }, (_, i) => `job ${i}`);
    expect(new Set(texts.map(stableHash)).size).toBe(texts.length);
  });

  it('yields fractions over the whole range', () => {
    const fractions = Array.from({ length: 1000 }, (_, i) => stableFraction(`job ${i}`));
    const counts = Array.from(
      { length: 10 },
      (_, tenth) => fractions.filter((one) => Math.floor(one * 10) === tenth).length,
    );
    expect(Math.min(...counts)).toBeGreaterThan(60);
    expect(Math.max(...counts)).toBeLessThan(140);
  });
});
