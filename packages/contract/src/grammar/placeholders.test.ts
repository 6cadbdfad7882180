import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placeholders, replacePlaceholders } from './placeholders.ts';

/** The specification in short form, which takes quadratic time. */
const PATTERN = /\$?\$\{\{([^}]*)\}\}/g;

const texts = fc.string({ unit: fc.constantFrom('$', '{', '}', '{{', '}}', '${{', 'a', ' ') });

describe('placeholders', () => {
  it('are the text between the braces', () => {
    expect(placeholders('a ${{ b }}$${{c}} ${{ d }')).toEqual([
      { text: '${{ b }}', inner: ' b ', isEscaped: false, at: 2 },
      { text: '$${{c}}', inner: 'c', isEscaped: true, at: 10 },
    ]);
  });

  it('are found where a pattern would find them', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const found = [...text.matchAll(PATTERN)].map((match) => [match[0], match[1], match.index]);
        expect(placeholders(text).map(({ text, inner, at }) => [text, inner, at])).toEqual(found);
      }),
      { numRuns: 2000 },
    );
  });

  it('are replaced as a pattern would', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const replaced = text.replace(PATTERN, (whole, inner) => `<${whole}|${inner}>`);
        const ours = replacePlaceholders(text, (one) => `<${one.text}|${one.inner}>`);
        expect(ours).toBe(replaced);
      }),
    );
  });
});
