/**
 * Checks exported names, comments, texts and documents against the words of the glossary, and that no
 * name is exported by two packages. Exceptions are in `words-accepted.ts`, each with a reason.
 */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { duplicateNames } from './word-duplicates.ts';
import { nameFindings, proseFindings } from './word-rules.ts';
import { scanMarkdown, scanSource } from './word-scan.ts';
import { ACCEPTED_DUPLICATES, ACCEPTED_NAMES, ACCEPTED_PHRASES } from './words-accepted.ts';

const FEWEST_FILES = 1000;

/** The rules and exceptions have to contain the words. */
const RULES = ['scripts/word-rules.ts', 'scripts/words-accepted.ts', 'scripts/words.test.ts'];

const root = fileURLToPath(new URL('..', import.meta.url));

const files = globSync('{*.{md,ts},{bench,docs,e2e,packages,scripts}/**/*.{ts,tsx,md}}', {
  cwd: root,
  exclude: ['**/node_modules/**', '**/dist/**', '**/testdata/**'],
})
  .filter((file) => !RULES.includes(file))
  .sort();
if (files.length < FEWEST_FILES) {
  console.error(`only ${files.length} files were found; the sources were skipped`);
  process.exit(1);
}

let failures = 0;
const fail = (message: string): void => {
  failures += 1;
  console.error(message);
};

/** Exceptions that are needed, as `file key`. */
const used = new Set<string>();
const isAccepted = (table: typeof ACCEPTED_NAMES, file: string, key: string): boolean => {
  if (table[file]?.[key] === undefined) return false;
  used.add(`${file} ${key}`);
  return true;
};

const exported: { file: string; name: string }[] = [];
for (const file of files) {
  const source = readFileSync(`${root}${file}`, 'utf8');
  const { names, prose } = file.endsWith('.md')
    ? { names: [], prose: scanMarkdown(source) }
    : scanSource(file, source);
  for (const { name, line } of names) {
    exported.push({ file, name });
    for (const { found, instead } of nameFindings(name)) {
      if (!isAccepted(ACCEPTED_NAMES, file, name))
        fail(`${file}:${line}: the name ${name} has the word "${found}"; write ${instead}`);
    }
  }
  for (const { text, line } of prose) {
    for (const { found, instead } of proseFindings(text)) {
      if (!isAccepted(ACCEPTED_PHRASES, file, found))
        fail(`${file}:${line}: "${found}" in "${text.slice(0, 120)}"; write ${instead}`);
    }
  }
}

const duplicates = duplicateNames(exported.filter(({ name }) => !name.includes('.')));
for (const { name, files } of duplicates) {
  if (ACCEPTED_DUPLICATES[name] === undefined)
    fail(`${files.join(' and ')} export ${name}; rename one of them`);
}

for (const [file, keys] of [ACCEPTED_NAMES, ACCEPTED_PHRASES].flatMap(Object.entries)) {
  for (const key of Object.keys(keys)) {
    if (!used.has(`${file} ${key}`))
      fail(`words-accepted.ts names "${key}" of ${file}, which is not there`);
  }
}
for (const name of Object.keys(ACCEPTED_DUPLICATES)) {
  if (!duplicates.some((duplicate) => duplicate.name === name))
    fail(`words-accepted.ts names the duplicate ${name}, which is not there`);
}

console.log(`${files.length} files, ${failures} words or names to replace`);
process.exit(failures > 0 ? 1 : 0);
