/** YAML that is large, deep or repeats itself, for every place where the server reads YAML. */
import { type HostileInput, post } from './request.ts';
import { many, repeat } from './texts.ts';

const DOCUMENTS: Readonly<Record<string, (length: number) => string>> = {
  'many keys': (length) => many(length / 8, (i) => `k${i}: 1`).join('\n'),
  'the same key': repeat('k: 1\n'),
  'keys in braces': (length) => `{${many(length / 8, (i) => `k${i}: 1`).join(', ')}}`,
  items: repeat('- a\n'),
  'nested lists': repeat('['),
  'nested items': repeat('- '),
  'explicit keys': repeat('? '),
  'empty values': repeat(': '),
  'empty lines': (length) => `a:\n${'\n'.repeat(length)}  b`,
  comments: repeat('a: #\n'),
  tabs: repeat('\ta: 1\n'),
  quotes: repeat('"'),
  'a quoted text of lines': (length) => `"${'a\n'.repeat(length / 2)}"`,
  'a plain text of lines': (length) => `x: ${'a\n '.repeat(length / 3)}`,
  'a block of empty lines': (length) => `x: |+\n${'\n'.repeat(length)}`,
  'rising indentation': (length) =>
    many(Math.sqrt(2 * length), (i) => `${' '.repeat(i)}a:`).join('\n'),
  anchors: (length) => many(length / 10, (i) => `- &a${i} x`).join('\n'),
  aliases: (length) =>
    [...many(length / 20, (i) => `- &a${i} x`), ...many(length / 20, (i) => `- *a${i}`)].join('\n'),
  'aliases of nothing': repeat('- *a\n'),
  'aliases without name': repeat('* '),
  'a bomb of aliases': (length) =>
    [
      'a0: &a0 x',
      ...many(Math.min(60, length / 30), (i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`),
    ].join('\n'),
  merges: (length) =>
    [
      `a: &a {${many(length / 30, (i) => `k${i}: 1`).join(', ')}}`,
      ...many(length / 30, (i) => `m${i}: {<<: *a}`),
    ].join('\n'),
  tags: repeat('- !!str a\n'),
  'unknown tags': repeat('- !x a\n'),
  directives: repeat('%\n'),
  documents: repeat('---\n'),
  'wrong maps': repeat('- a: b: c\n'),
  'numbers of base 60': (length) => `x: 1${':59'.repeat(length / 3)}`,
  'a long number': (length) => `x: ${'1'.repeat(length)}`,
  'carriage returns': repeat('\r'),
};

const asBackend = (document: string) =>
  post('/api/project/main/backends/create_yaml', JSON.stringify({ config_yaml: document }));
const asKubeconfig = (document: string) => {
  const body = { type: 'kubernetes', kubeconfig: { data: document } };
  return post('/api/project/main/backends/create', JSON.stringify(body));
};

/** Input with many tokens is refused above the second size, input with few above the first. */
export const yamlInputs: readonly HostileInput[] = Object.entries(DOCUMENTS).flatMap(
  ([name, document]) => [
    { name: `${name}, large`, most: 256 * 1024, request: (size) => asBackend(document(size)) },
    { name, most: 12 * 1024, repeats: 4, request: (size) => asBackend(document(size)) },
    {
      name: `${name} as a kubeconfig`,
      most: 12 * 1024,
      repeats: 4,
      request: (size) => asKubeconfig(document(size)),
    },
  ],
);
