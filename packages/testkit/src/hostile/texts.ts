/**
 * Texts for which some grammar or pattern may take more than linear time, by approximate length.
 */
export const TEXTS: Readonly<Record<string, (length: number) => string>> = {
  letters: repeat('x'),
  digits: repeat('1'),
  'digits and a letter': (length) => `${'1'.repeat(length)}x`,
  blanks: (length) => `${' '.repeat(length)}x`,
  'blanks inside': (length) => `a${' '.repeat(length)}b`,
  lines: repeat('a\n'),
  slashes: (length) => `${'/'.repeat(length)}x`,
  'parent folders': repeat('../'),
  dots: repeat('a.'),
  dashes: repeat('a-'),
  commas: repeat('a,'),
  colons: repeat('a:'),
  ranges: repeat('1..'),
  equals: repeat('a='),
  at: repeat('a@'),
  stars: repeat('* '),
  dollars: repeat('$'),
  'open references': repeat('$'.concat('{{')),
  references: repeat('$'.concat('{{ a.b }}')),
  'half closed references': (length) => `${'$'.concat('{{').repeat(length / 3)}}`,
  'beginnings of keys': repeat('-----BEGIN PRIVATE KEY-----'),
  underscores: repeat('1_'),
  brackets: repeat('['),
};

export function repeat(part: string): (length: number) => string {
  return (length) => part.repeat(Math.floor(length / part.length));
}

/** Lists and maps that are valid, invalid and empty, by the number of their parts. */
export const LISTS: Readonly<Record<string, (parts: number) => unknown>> = {
  words: (parts) => many(parts, (index) => `a${index}`),
  'the same word': (parts) => many(parts, () => 'aws'),
  nulls: (parts) => many(parts, () => null),
  numbers: (parts) => many(parts, (index) => index),
  'empty maps': (parts) => many(parts / 2, () => ({})),
  'empty lists': (parts) => many(parts / 2, () => []),
  'unknown keys': (parts) => Object.fromEntries(many(parts / 2, (index) => [`key${index}`, 1])),
  'nearly known keys': (parts) =>
    Object.fromEntries(many(parts / 2, (index) => [`max_duratoin${index}`, 1])),
  'keys of variables': (parts) =>
    Object.fromEntries(many(parts / 2, (index) => [`KEY_${index}`, 'x'])),
  'objects in place of words': (parts) => many(parts / 6, () => ({ toString: 1, valueOf: 1 })),
};

export function many<T>(count: number, item: (index: number) => T): T[] {
  return Array.from({ length: Math.floor(count) }, (_, index) => item(index));
}
