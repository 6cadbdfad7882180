import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readForeignYaml } from './foreign.ts';

const error = (text: string) => {
  const read = readForeignYaml(text);
  return read.ok ? `accepted as ${JSON.stringify(read.value)}` : read.error;
};

describe('YAML from untrusted sources', () => {
  it('becomes plain JSON values', () => {
    const text =
      'a: 1.0\nb: [on, 2024-01-01, 2024-01-01T10:00:00Z]\nc: 12345678901234567890\nd: &x {e: ~}\nf: *x\n';
    expect(readForeignYaml(text)).toEqual({
      ok: true,
      value: {
        a: 1,
        b: [true, '2024-01-01', '2024-01-01'],
        c: 12345678901234567000,
        d: { e: null },
        f: { e: null },
      },
    });
  });

  it('with an error is refused with its place', () => {
    expect(error('a: 1\nb: *nope\n')).toMatch(/^line 2, column 4: b uses the anchor 'nope'/);
  });

  it('is refused if it is too long, or has too many tokens', () => {
    expect(error('x'.repeat(300_000))).toContain('longer than 262144 characters');
    expect(error('a: b\n'.repeat(10_000))).toContain('too large');
    expect(error('* '.repeat(100_000))).toContain('too large');
  });

  it('never throws, whatever it contains', () => {
    const part = fc.constantFrom(
      ...[
        'a',
        ' ',
        '  ',
        '\n',
        ':',
        ': ',
        '- ',
        '? ',
        '*a',
        '&a ',
        '<<: ',
        '[',
        ']',
        '{',
        '}',
        ',',
      ],
      ...['"', "'", '|', '>', '#', '!', '!!str ', '!!int ', '%', '@', '`', '---\n', '...\n', '\t'],
      ...[
        '1',
        '0x',
        '1:2',
        '.inf',
        '=',
        '__proto__: ',
        'toString: ',
        '\r\n',
        '\u0000',
        '\uFEFF',
        '\ud800',
      ],
    );
    const texts = fc.array(part, { maxLength: 40 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(texts, (text) => {
        const read = readForeignYaml(text);
        if (read.ok) JSON.stringify(read.value);
      }),
      { numRuns: 5000, interruptAfterTimeLimit: 5000 },
    );
  });
});
