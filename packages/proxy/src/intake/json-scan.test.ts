import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type JsonLimits, JsonScan } from './json-scan.ts';

const NO_LIMITS: JsonLimits = { depth: 1000, parts: 1e9, lists: new Map() };
const leaveOut = (path: string): JsonLimits => ({
  ...NO_LIMITS,
  lists: new Map([[path, { kind: 'leave-out' }]]),
});

/** The text in pieces of these lengths, in turn. */
function scan(text: string, limits = NO_LIMITS, lengths: readonly number[] = [7]) {
  const scanner = new JsonScan(limits);
  const bytes = Buffer.from(text);
  let kept = '';
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = lengths[turn % lengths.length] ?? 1;
    const result = scanner.push(bytes.subarray(at, at + length));
    if ('kind' in result) return result;
    kept += Buffer.concat([...result]).toString('latin1');
    at += length;
  }
  return { kept: Buffer.from(kept, 'latin1').toString(), keys: scanner.keys };
}

const lengths = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 });

describe('scanning JSON', () => {
  it('keeps its meaning, however it is cut into pieces', () => {
    fc.assert(
      fc.property(fc.json(), lengths, (json, cuts) => {
        expect(scan(json, NO_LIMITS, cuts)).toMatchObject({ kept: json });
      }),
    );
  });

  it('drops the elements of the list at a path, and nothing else', () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    fc.assert(
      fc.property(value, value, fc.array(value), lengths, (a, b, jobs, cuts) => {
        const whole = { x: a, plan: { jobs: a, seen: { x: b, jobs, y: { jobs: b } }, z: b }, jobs };
        const left = { ...whole, plan: { ...whole.plan, seen: { ...whole.plan.seen, jobs: [] } } };
        const result = scan(JSON.stringify(whole), leaveOut('plan.seen.jobs'), cuts);
        expect(result).toMatchObject({ kept: JSON.stringify(left) });
      }),
    );
  });

  it('counts keys as they are written', () => {
    expect(scan('{"a":{"a":1,"b:,":[{"c":":"}]},"a":2}')).toMatchObject({ keys: 5 });
  });

  it('stops at too many levels and too many parts, but ignores the contents of strings', () => {
    const limits = { ...NO_LIMITS, depth: 3, parts: 10 };
    expect(scan('[[["[[[[{{{{,,,,,,,,,,::::\\"[[["]]]', limits)).toHaveProperty('kept');
    expect(scan('[[[[]]]]', limits)).toEqual({ kind: 'too-deep', limit: 3 });
    expect(scan('[1,2,3,4,5,6,7,8,9,10]', limits)).toHaveProperty('kept');
    expect(scan('[1,2,3,4,5,6,7,8,9,10,11]', limits)).toMatchObject({ kind: 'too-many-parts' });
  });

  it('counts the parts of long lists separately', () => {
    const lists = new Map([['a.b', { kind: 'long', parts: 5 } as const]]);
    const limits = { ...NO_LIMITS, parts: 8, lists };
    expect(scan('{"a":{"b":[1,2,3,4,5,6],"c":1}}', limits)).toHaveProperty('kept');
    expect(scan('{"a":{"b":[1,2,3,4,5,6,7],"c":1}}', limits)).toMatchObject({ limit: 5 });
    expect(scan('{"a":{"b":[1],"c":[1,2,3,4,5]}}', limits)).toMatchObject({ limit: 8 });
    expect(scan('[{"a":{"b":[1,2,3,4,5,6]}}]', limits)).toMatchObject({ limit: 8 });
  });

  it('accepts invalid JSON: the parser reports it', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'[]{}",:\\ap') }), lengths, (text, cuts) => {
        expect(scan(text, leaveOut('a.p'), cuts)).toHaveProperty('kept');
      }),
    );
  });
});
