/**
 * Checks every regular expression of the product with `recheck`. A pattern that takes more than
 * linear time is an error unless `regexes-accepted.ts` explains why no hostile text reaches it.
 * Results are cached in `.cache/`, since some take seconds. `--record` saves which slow ones are linear in
 * `regexes-decided.json`, which is for clean clones.
 */
import { createHash } from 'node:crypto';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { regexesOf, UNDECIDED, type Verdict, verdictOf } from './regex-scan.ts';
import { accepted } from './regexes-accepted.ts';
import { linearOf, nameOf, readDecided, withSlow, writeDecided } from './regexes-decided.ts';

const FEWEST_REGEXES = 200;
/** A pattern that takes more time of a processor is worth a line of the record. */
const SLOW_MS = 200;
/** More time than this of all slow patterns together is worth a new record. */
const TOO_SLOW_MS = 10_000;

const CACHE = '.cache/regexes.json';

const root = fileURLToPath(new URL('..', import.meta.url));

function readCache(): Record<string, Verdict> {
  try {
    return JSON.parse(readFileSync(`${root}${CACHE}`, 'utf8'));
  } catch {
    // There is no cache yet, or it was written only partly.
    return {};
  }
}

const files = globSync('packages/*/src/**/*.{ts,tsx}', { cwd: root })
  .filter((file) => !/\.test\.tsx?$|\/testing\/|^packages\/testkit\//.test(file))
  .sort();
const regexes = files.flatMap((file) => regexesOf(file, readFileSync(`${root}${file}`, 'utf8')));
if (regexes.length < FEWEST_REGEXES) {
  console.error(`only ${regexes.length} regular expressions were found; the sources were skipped`);
  process.exit(1);
}

const isRecording = process.argv.includes('--record');
// Only patterns that are checked now are seen to be slow.
const before = isRecording ? {} : readCache();
const now: Record<string, Verdict> = {};
const recorded = linearOf(readDecided());
/** The names of slow patterns that are not recorded. */
const slow = new Set<string>();
let slowMs = 0;
const used = new Set<string>();
let failures = 0;
for (const regex of regexes) {
  const { file, pattern, flags } = regex;
  if (accepted[file]?.[pattern] !== undefined) {
    used.add(`${file} ${pattern}`);
    continue;
  }
  if (recorded.has(nameOf(regex))) continue;
  const key = createHash('sha256').update(`${pattern}/${flags}`).digest('hex');
  const known = key in now ? now[key] : before[key];
  const { user } = process.cpuUsage();
  const verdict = known === undefined ? verdictOf(regex) : known;
  const ms = (process.cpuUsage().user - user) / 1000;
  if (verdict === null && ms > SLOW_MS) {
    slow.add(nameOf(regex));
    slowMs += ms;
  }
  // A later run may decide it.
  if (verdict !== UNDECIDED) now[key] = verdict;
  if (verdict === null) continue;
  failures += 1;
  console.error(`${file}: /${pattern}/${flags} takes more than linear time: ${verdict}`);
}
for (const [file, patterns] of Object.entries(accepted)) {
  for (const pattern of Object.keys(patterns)) {
    if (used.has(`${file} ${pattern}`)) continue;
    failures += 1;
    console.error(`regexes-accepted.ts names /${pattern}/ of ${file}, which is not there`);
  }
}
if (isRecording) {
  writeDecided(withSlow(recorded, slow, new Set(regexes.map(nameOf))));
} else if (slowMs > TOO_SLOW_MS) {
  const seconds = Math.round(slowMs / 1000);
  console.log(`${seconds} s for what regexes-decided.json does not have: run it with --record`);
}
mkdirSync(`${root}.cache`, { recursive: true });
writeFileSync(`${root}${CACHE}`, JSON.stringify(now));
console.log(`${regexes.length} regular expressions, ${failures} not linear`);
process.exit(failures > 0 ? 1 : 0);
