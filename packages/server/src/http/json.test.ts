import { describe, expect, it } from 'vitest';
import { wireJson } from './json.ts';

describe('JSON of answers', () => {
  it('writes floats with a fraction and integers without', () => {
    expect(wireJson({ price: 0, cost: 8, total_offers: 3, price_per_hour: 1 })).toBe(
      '{"price":0.0,"cost":8.0,"total_offers":3,"price_per_hour":1}',
    );
    expect(wireJson([{ max_price: 98.32 }, { max_price: null }])).toBe(
      '[{"max_price":98.32},{"max_price":null}]',
    );
  });

  it('distinguishes ranges of floats from ranges of integers', () => {
    const resources = {
      cpu: { arch: null, count: { min: 2, max: null } },
      memory: { min: 8, max: null },
      disk: { size: { min: 100, max: 200 } },
    };
    expect(wireJson(resources)).toBe(
      '{"cpu":{"arch":null,"count":{"min":2,"max":null}},"memory":{"min":8.0,"max":null},"disk":{"size":{"min":100.0,"max":200.0}}}',
    );
  });

  it('distinguishes the target of a fleet from that of scaling', () => {
    expect(wireJson({ nodes: { target: 2 }, scaling: { target: 2 } })).toBe(
      '{"nodes":{"target":2},"scaling":{"target":2.0}}',
    );
  });

  it('does not change the value itself, and does not escape text', () => {
    const value = { price: 1, name: 'Ω/é' };
    expect(wireJson(value)).toBe('{"price":1.0,"name":"Ω/é"}');
    expect(value).toEqual({ price: 1, name: 'Ω/é' });
  });
});
