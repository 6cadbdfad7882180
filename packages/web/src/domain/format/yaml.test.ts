import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { toYaml } from './yaml.ts';

describe('YAML', () => {
  it('looks like a configuration', () => {
    const configuration = {
      type: 'task',
      name: 'train',
      image: null,
      env: { A: '1', GREETING: 'hello: world' },
      commands: ['pip install -r requirements.txt', 'python train.py --lr 0.1', 'a\nb\n'],
      ports: ['8000:8000'],
      resources: { gpu: { name: ['H100'], count: { min: 1, max: 8 } } },
      groups: [{ name: 'a', replicas: 1 }, { name: 'b' }],
    };
    expect(toYaml(configuration)).toBe(`type: task
name: train
env:
  A: "1"
  GREETING: "hello: world"
commands:
  - pip install -r requirements.txt
  - python train.py --lr 0.1
  - |
    a
    b
ports:
  - "8000:8000"
resources:
  gpu:
    name:
      - H100
    count:
      min: 1
      max: 8
groups:
  - name: a
    replicas: 1
  - name: b
`);
  });

  it.each([
    '',
    'yes',
    'No',
    'null',
    '~',
    '12',
    '8..',
    '8..16',
    '32GB..',
    '80GB',
    '8.',
    '1e3',
    '0x1f',
    '08',
    '2026-01-01',
    '.5',
    '-',
    '- a',
    '? a',
    'a: b',
    'a:',
    ':a',
    'a #b',
    '#a',
    '@a',
    '%a',
    '&a',
    '*a',
    '!a',
    '[a]',
    '{a}',
    ' a',
    'a ',
    '"a"',
    "'a'",
    '`a`',
    '|',
    '>',
    '${{ secrets.TOKEN }}',
    'a\tb',
    'a\n',
    'a\nb',
    '\na',
    'a\n\n',
    ' a\nb',
    'a \nb',
    'a\r\nb',
    'é😀\u0000',
    '<<',
    '=',
    'echo "a" && exit 1',
    "sh -c 'x: y'",
  ])('keeps the text %j', (text) => {
    for (const version of ['1.1', '1.2'] as const) {
      const value = { [text]: 1, value: text, list: [text, { deep: [text] }] };
      expect(parse(toYaml(value), { version })).toEqual(value);
    }
  });

  it('keeps other values', () => {
    const value = { a: 1.5, b: true, c: [], d: {}, e: [[1, [2]], []], f: [{ a: [] }, {}] };
    expect(parse(toYaml(value))).toEqual(value);
  });
});
