import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TopLevelScan } from './top-level-scan.ts';

const WANTED = ['model', 'stream', 'usage'];

function scan(text: string, cuts: readonly number[] = []): TopLevelScan {
  const subject = new TopLevelScan(WANTED);
  const bytes = Buffer.from(text);
  let from = 0;
  for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
    subject.push(bytes.subarray(from, Math.min(cut, bytes.length)));
    from = Math.min(cut, bytes.length);
  }
  return subject;
}

const values = (text: string, cuts?: readonly number[]) => {
  const subject = scan(text, cuts);
  return Object.fromEntries(WANTED.map((key) => [key, subject.value(key)]));
};

describe('a scanned document', () => {
  it.each([
    ['{"messages":[{"model":"inner"}],"model":"m"}', 'm'],
    ['{"model":"a","model":"b"}', 'b'],
    ['{"x":"\\"model\\":1","model" : "m\\u00e9\\"\\\\"  }', 'mé"\\'],
    ['{"\\u006dodel":"m"}', 'm'],
    ['{"x":"\\\\","model":"m"}', 'm'],
    ['{"x":{"model":"no"},"y":["model","no"]}', undefined],
    ['[{"model":"no"}]', undefined],
    ['["model","no"]', undefined],
    ['"model"', undefined],
    ['', undefined],
    ['{"model":', undefined],
    ['{"model":"m"', undefined],
    ['{"model":m}', undefined],
  ])('%s has the model %j, wherever it is cut', (text, model) => {
    for (let cut = 0; cut <= text.length; cut++) {
      expect(values(text, [cut, cut + 1]).model).toBe(model);
    }
  });

  it('has no value that is too long', () => {
    expect(values(`{"model":"${'x'.repeat(5000)}","stream":true}`)).toMatchObject({
      ...{ model: undefined, stream: true },
    });
  });

  it('has the values that a parser finds, and ends at its last bracket', () => {
    const document = fc.dictionary(
      fc.oneof(fc.constantFrom(...WANTED, 'messages'), fc.string()),
      fc.jsonValue({ maxDepth: 3 }),
    );
    const cuts = fc.array(fc.nat(300), { maxLength: 8 });
    fc.assert(
      fc.property(document, cuts, fc.constantFrom(0, 2), (value, at, indent) => {
        const text = JSON.stringify(value, null, indent);
        const { model, stream, usage } = JSON.parse(text);
        expect(values(text, at)).toEqual({ model, stream, usage });
        const bytes = Buffer.from(text);
        expect(scan(text, at).end).toBe(bytes.lastIndexOf('}'));
      }),
    );
  });

  it('may be anything', () => {
    const bytes = fc.array(fc.constantFrom(...'{}[]",:\\ amodel1'), { maxLength: 60 });
    fc.assert(
      fc.property(bytes, (parts) => {
        const text = parts.join('');
        let parsed: Record<string, unknown> = {};
        try {
          parsed = JSON.parse(text);
        } catch {
          values(text);
          return;
        }
        if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
          expect(values(text).model).toEqual(parsed.model);
        }
      }),
    );
  });
});
