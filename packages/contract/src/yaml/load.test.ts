import { describe, expect, test } from 'vitest';
import { numberText, WholeFloat } from '../grammar/number-text.ts';
import { loadYaml } from './load.ts';

function value(text: string): unknown {
  const loaded = loadYaml(text);
  if (!('value' in loaded)) throw new Error(`${loaded.line}:${loaded.column} ${loaded.message}`);
  return loaded.value;
}

function error(text: string) {
  const loaded = loadYaml(text);
  if ('value' in loaded) throw new Error(`accepted as ${JSON.stringify(loaded.value)}`);
  return loaded;
}

describe('plain scalars have the types of YAML 1.1', () => {
  test.each(['on', 'On', 'ON', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE'])(
    '%s is true',
    (text) => {
      expect(value(`k: ${text}\n`)).toEqual({ k: true });
    },
  );

  test.each(['off', 'Off', 'OFF', 'no', 'No', 'NO', 'false', 'False', 'FALSE'])(
    '%s is false',
    (text) => {
      expect(value(`k: ${text}\n`)).toEqual({ k: false });
    },
  );

  test.each(['~', 'null', 'Null', 'NULL', ''])('%j is null', (text) => {
    expect(value(`k: ${text}\n`)).toEqual({ k: null });
  });

  test.each<[string, unknown]>([
    ['y', 'y'],
    ['n', 'n'],
    ['oN', 'oN'],
    ['017', 15],
    ['0x1F', 31],
    ['0b11', 3],
    ['1_000', 1000],
    ['+5', 5],
    ['-5', -5],
    ['0', 0],
    ['08', '08'],
    ['0o17', '0o17'],
    ['12:30', 750],
    ['1:2:3', 3723],
    ['1:30.5', 90.5],
    ['22:22', 1342],
    ['80:22', 4822],
    ['8000:8000', '8000:8000'],
    ['01:30', '01:30'],
    ['1:60', '1:60'],
    ['.5', 0.5],
    ['1_000.5', 1000.5],
    ['-1.5', -1.5],
    ['.inf', Infinity],
    ['-.inf', -Infinity],
    ['.nan', Number.NaN],
    ['1e3', '1e3'],
    ['1.0e3', '1.0e3'],
    ['-.5', '-.5'],
    ['12345678901234567890', 12345678901234567890n],
    ['a b', 'a b'],
  ])('%s', (text, expected) => {
    expect(value(`k: ${text}\n`)).toEqual({ k: expected });
  });

  test.each(['1.', '1.0', '1.0e+3', '1:30.0', '-0.0'])(
    '%s is a float even though it is whole',
    (text) => {
      expect(value(`k: ${text}\n`)).toEqual({ k: expect.any(WholeFloat) });
    },
  );

  test.each(['2024-01-01', '2024-01-01 10:00:00', '2024-01-01T10:00:00Z'])(
    '%s is a date',
    (text) => {
      expect(value(`k: ${text}\n`)).toEqual({ k: expect.any(Date) });
    },
  );

  test('quoted text is text', () => {
    expect(value(`[ "on", '017', "~", '=' ]`)).toEqual(['on', '017', '~', '=']);
  });

  test('an explicit tag decides the type', () => {
    expect(value('[!!str 1, !!int "0x10", !!bool "on", !!null "x"]')).toEqual([
      '1',
      16,
      true,
      null,
    ]);
  });
});

describe('numbers become the text that Python writes', () => {
  test.each([
    ['1.0', '1.0'],
    ['2.50', '2.5'],
    ['5.', '5.0'],
    ['100000.0', '100000.0'],
    ['1.0e+16', '1e+16'],
    ['1.0e+15', '1000000000000000.0'],
    ['1.0e+20', '1e+20'],
    ['1.5e+20', '1.5e+20'],
    ['1.0e-7', '1e-07'],
    ['0.0001', '0.0001'],
    ['0.00001', '1e-05'],
    ['.inf', 'inf'],
    ['12345678901234567890123', '12345678901234567890123'],
    ['8080', '8080'],
  ])('%s', (text, expected) => {
    expect(numberText(value(text) as number)).toBe(expected);
  });
});

describe('structure', () => {
  test('anchors, aliases and merge keys are resolved; own keys take precedence', () => {
    const text = 'a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], z: 3}\nd: *a\n';
    expect(value(text)).toMatchObject({ c: { x: 1, y: 1, z: 3 }, d: { x: 1, y: 1 } });
  });

  test('of repeated keys the last one counts, and the repetition is reported', () => {
    const loaded = loadYaml('a: 1\nb: 2\na: 3\n');
    expect(loaded).toMatchObject({ value: { a: 3, b: 2 }, repeated: [{ path: ['a'], line: 3 }] });
  });

  test('keys that are numbers become text', () => {
    expect(value('8080: x\n1.0: y\n')).toEqual({ '8080': 'x', '1.0': 'y' });
  });

  test('a key named __proto__ is an ordinary key', () => {
    const object = value('__proto__: {x: 1}\n') as object;
    expect(Object.keys(object)).toEqual(['__proto__']);
    expect((object as { x?: number }).x).toBeUndefined();
  });

  test('aliases and merges may repeat ten thousand values at most', () => {
    const bomb = (depth: number) => {
      const levels = Array.from(
        { length: depth },
        (_, i) => `l${i + 1}: &l${i + 1} [*l${i}, *l${i}]`,
      );
      return ['l0: &l0 x', ...levels].join('\n');
    };
    expect(value(bomb(10))).toHaveProperty('l10');
    expect(error(bomb(30)).message).toContain('repeats more than 10000 values');
    const keys = Array.from({ length: 200 }, (_, i) => `k${i}: 1`).join(', ');
    const merges = (count: number) =>
      `a: &a {${keys}}\n${Array.from({ length: count }, (_, i) => `m${i}: {<<: *a}`).join('\n')}`;
    expect(value(merges(20))).toHaveProperty('m19.k199');
    expect(error(merges(100)).message).toContain('repeats more than 10000 values');
  });

  test.each([
    [
      'an alias stands for the last node with its anchor',
      'a: &x 1\nb: *x\nc: &x 2\nd: *x\n',
      { a: 1, b: 1, c: 2, d: 2 },
    ],
    ['an anchor may stand on a key', '&k a: 1\nb: *k\n', { a: 1, b: 'a' }],
    [
      'a map may be merged where it stands',
      'a: {<<: &m {x: 1}, y: 2}\nb: *m\n',
      { a: { x: 1, y: 2 }, b: { x: 1 } },
    ],
  ])('%s', (_what, text, expected) => {
    expect(value(text)).toEqual(expected);
  });

  test('a merge of the enclosing map is refused', () => {
    expect(error('a: &a\n  <<: *a\n').message).toContain('itself');
  });

  test.each(['', '# nothing\n', '---\n'])('%j is an empty document', (text) => {
    expect(value(text)).toBeNull();
  });
});

test('the key `on` is a text, and the value a boolean, as in YAML 1.1', () => {
  expect(value('on: end\nb: on\n')).toEqual({ on: 'end', b: true });
});

describe('errors have a place and a reason', () => {
  test.each([
    ['k: =\n', 1, 4, 'quotes'],
    ['k: <<\n', 1, 4, 'quotes'],
    ['a: 1\n\tb: 2\n', 2, 1, 'tab'],
    ['a: b: c\n', 1, 4, 'quotes'],
    ['a: [1\n', 2, 1, 'not valid YAML'],
    ["a: 'x\n", 2, 1, 'not valid YAML'],
    ['a: @x\n', 1, 4, 'quotes'],
    ['a: 1\n---\nb: 2\n', 2, 1, 'second document'],
    ['a: *nope\n', 1, 4, 'nope'],
    ['a: &x [*x]\n', 1, 8, 'contains itself'],
    ['a: !!python/object:os.system x\n', 1, 32, 'tag'],
    ['a: !mine x\n', 1, 4, 'tag'],
    ['off: x\n', 1, 1, 'boolean'],
    ['? [a]\n: b\n', 1, 3, 'quotes'],
    ['a: 2024-13-45\n', 1, 4, 'date'],
    ['<<: 1\n', 1, 5, 'refers to no map'],
  ])('%j', (text, line, column, words) => {
    const refused = error(text);
    expect(refused.message).toContain(words);
    expect(refused.line).toBe(line);
    expect(Math.abs(refused.column - column)).toBeLessThan(30);
  });

  test('deep nesting is refused instead of exhausting the stack', () => {
    expect(error('['.repeat(200) + ']'.repeat(200)).message).toContain('nested');
  });

  test('a number with more digits than Python accepts is refused', () => {
    expect(value(`a: ${'1'.repeat(4300)}\n`)).toEqual({ a: expect.anything() });
    expect(error(`a: ${'1'.repeat(4301)}\n`).message).toContain('4300 digits');
    expect(error(`a: 1${':59'.repeat(3000)}\n`).message).toContain('4300 digits');
  });

  test('more tokens than allowed are refused before they are read', () => {
    const loaded = loadYaml('a: 1\n'.repeat(1000), { maxTokens: 100 });
    expect(loaded).toMatchObject({ message: expect.stringContaining('too large') });
    expect(loadYaml(`a: ${'x'.repeat(100_000)}`, { maxTokens: 100 })).toHaveProperty('value');
  });

  test('nesting that is too deep for the parser itself is reported with its line', () => {
    const refused = error(`a: 1\nb: ${'['.repeat(20_000)}`);
    expect(refused.message).toBe('is not valid YAML: the line is nested too deeply');
    expect(refused.line).toBe(2);
  });
});

describe('places', () => {
  const loaded = loadYaml('a:\n  b: [x, {c: 1}]\nm: &m {k: 1}\nn:\n  <<: *m\n');

  test.each([
    [['a'], 1, 1],
    [['a', 'b'], 2, 3],
    [['a', 'b', 0], 2, 7],
    [['a', 'b', 1, 'c'], 2, 11],
    [['a', 'b', 1, 'missing'], 2, 10],
    [['n', 'k'], 3, 8],
    [[], 1, 1],
  ])('%j', (path, line, column) => {
    if (!('value' in loaded)) throw new Error(loaded.message);
    expect(loaded.locate(path)).toEqual({ line, column });
  });
});
