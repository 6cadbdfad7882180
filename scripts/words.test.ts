import { describe, expect, it } from 'vitest';
import { duplicateNames } from './word-duplicates.ts';
import { nameFindings, proseFindings } from './word-rules.ts';
import { scanMarkdown, scanSource } from './word-scan.ts';

describe('scanning a source', () => {
  const source = [
    '/** A comment over',
    ' * two lines, with `code`. */',
    "export const first = 'not/prose', second = /a b/;",
    '// Lines of this kind',
    '// are one comment.',
    'export interface Link { readonly url: string; close(): void }',
    'export function open(name: string): string {',
    "  const inner = 'a text // in words';",
    '  return `ünder ${name} ${"deep text"} end of it`; // at the end',
    '}',
    "export { other } from './other.ts';",
  ].join('\n');
  const { names, prose } = scanSource('x.ts', source);

  it('finds exported names and members of exported types, with their lines', () => {
    expect(names.map(({ name, line }) => `${name}:${line}`)).toEqual([
      ...['first:3', 'second:3', 'Link:6', 'Link.url:6', 'Link.close:6', 'open:7'],
    ]);
  });

  it('finds comments and texts in words, without code and expressions', () => {
    expect(prose.map(({ text, line }) => `${line} ${text}`).sort()).toEqual([
      '1 A comment over two lines, with .',
      '4 Lines of this kind are one comment.',
      '8 a text // in words',
      '9 at the end',
      '9 deep text',
      '9 end of it',
    ]);
  });

  it('finds paragraphs and items of a document, without code and link targets', () => {
    const document =
      '# Title\n\nA [link](https://tell.me)\nof two lines.\n\n```\ntold\n```\n\n    heard\n\n- one\n- two\n';
    expect(scanMarkdown(document)).toEqual([
      ...[
        { text: '# Title', line: 1 },
        { text: 'A [link] of two lines.', line: 3 },
      ],
      ...[
        { text: '- one', line: 12 },
        { text: '- two', line: 13 },
      ],
    ]);
  });
});

describe('the words of a name', () => {
  it.each([
    ['lastWords', 'words'],
    ['isOwnHost', 'own host'],
    ['SSHPassage', 'passage'],
    ['Placement.seats', 'seat'],
    ['CATALOG_PROVIDER', 'provider'],
    ['tellFollowers', 'tell'],
  ])('%s is refused', (name, found) => {
    expect(nameFindings(name).map((finding) => finding.found)).toEqual([found]);
  });

  it.each([
    'keyboard',
    'storytelling',
    'Machine.url',
    'ownHostname',
    'longestWord',
    'intelligence',
  ])('%s is allowed', (name) => {
    expect(nameFindings(name)).toEqual([]);
  });
});

describe('prose', () => {
  it.each([
    'What a server says that is not linked to the host any more counts no more.',
    'A word of it wakes nobody.',
    'A machine was had.',
    'a host of one’s own',
    'Jobs here are other people’s code on this machine.',
    'The agent knows the job.',
    'Whoever asks is told.',
    'Nobody waits for the result.',
    'a text that is no number',
    'The host is out of reach.',
  ])('with riddles is refused: %s', (text) => {
    expect(proseFindings(text)).not.toEqual([]);
  });

  it.each([
    'Ignore updates from a server that has lost its lease on the host.',
    'The server no longer has a link to the host.',
    'There is no number; it is no longer needed.',
    'Ask the user, who knows the password.',
    'A keyboard of the dashboard.',
  ])('that is plain is allowed: %s', (text) => {
    expect(proseFindings(text)).toEqual([]);
  });
});

describe('names of several packages', () => {
  const at = (name: string, ...files: string[]) => files.map((file) => ({ file, name }));

  it('are reported with a file of each', () => {
    const files = ['packages/core/src/engine.ts', 'packages/store/src/engine/types.ts'];
    expect(duplicateNames(at('Engine', ...files))).toEqual([{ name: 'Engine', files }]);
  });

  it('are allowed within one package, in tests and in their helpers', () => {
    const inOne = at('Row', 'packages/cli/src/a.ts', 'packages/cli/src/b.ts');
    const inTests = at('Job', 'packages/cli/src/a.ts', 'packages/core/src/testing/jobs.ts');
    const inTestkit = at('Run', 'packages/cli/src/a.ts', 'packages/testkit/src/runs.ts');
    expect(duplicateNames([...inOne, ...inTests, ...inTestkit])).toEqual([]);
  });
});
