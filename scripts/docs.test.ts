/** Tests the configurations in the documentation, as readers copy them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfiguration } from '@dstack/contract';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const files = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => join('docs', name))];

/** Complete configurations, with commands, fenced or indented by four; not fragments. */
function configurations(text: string): string[] {
  const blocks: string[][] = [];
  let inside = false;
  for (const line of text.split('\n')) {
    const own = line.startsWith('    ') ? line.slice(4) : line;
    const isIndented = own !== line;
    if (/^type: [a-z-]+$/.test(own)) {
      blocks.push([]);
      inside = true;
    }
    if (inside && !isIndented && (line.startsWith('```') || /^[A-Z`]/.test(line))) inside = false;
    if (inside) blocks.at(-1)?.push(own);
  }
  return blocks.filter((lines) => lines.some((line) => line.includes(' - '))).map(joined);
}

const joined = (lines: readonly string[]): string => lines.join('\n');

const found = files
  .filter((file) => file.endsWith('.md'))
  .flatMap((file) =>
    configurations(readFileSync(join(root, file), 'utf8')).map((yaml) => [file, yaml] as const),
  );

it('contains complete configurations', () => {
  expect(found.map(([file]) => file)).toContain('docs/tokens.md');
});

it.each(found)('a configuration of %s can be applied', (_file, yaml) => {
  const answer = parseConfiguration(yaml, 'configuration');
  expect(answer.ok ? [] : answer.errors).toEqual([]);
});
