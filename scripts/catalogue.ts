/**
 * Builds a catalogue of prices from the public price lists of providers, in the form that `DSTACK_CATALOG_URL` reads.
 * See `scripts/catalogue` and `docs/backends.md`.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { aws } from './price-lists/aws.ts';
import { azure } from './price-lists/azure.ts';
import { buildCatalogue, type ListReport } from './price-lists/build.ts';
import { httpAsk } from './price-lists/http-ask.ts';
import { oci } from './price-lists/oci.ts';
import { vultr } from './price-lists/vultr.ts';

const READERS = [aws, azure, oci, vultr];
const SAMPLES = new URL('../packages/backends/data/catalog.csv', import.meta.url);
const NAMES = READERS.map(({ seller }) => seller).join(', ');
const USAGE = `Usage: scripts/catalogue prices.csv [--check] [--only aws,azure] [--accept aws] [--everywhere]
Reads the price lists of ${NAMES}; rows of other providers stay as they are. The rows of prices.csv, or of the
product's samples while there is no such file, are the last good ones.
  --check       writes nothing; exit status 1 if the file would change, or a list is not believed
  --only        reads these lists alone
  --accept      takes the list of this provider, however much has changed
  --everywhere  all locations, instead of those that the last catalogue has`;
const [OK, DOUBT, WRONG_USE] = [0, 1, 2];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    check: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    accept: { type: 'string', default: '' },
    everywhere: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const [path, ...more] = positionals;
const listed = (text: string): string[] => text.split(',').filter(Boolean);
const only = listed(values.only);
const accepted = listed(values.accept);
const unknown = [...only, ...accepted].filter(
  (name) => !READERS.some(({ seller }) => seller === name),
);
if (values.help || path === undefined || more.length > 0 || unknown.length > 0) {
  if (unknown.length > 0) console.error(`There is no reader of ${unknown.join(', ')}`);
  console.error(USAGE);
  process.exit(values.help ? OK : WRONG_USE);
}

const last = existsSync(path) ? readFileSync(path, 'utf8') : null;
const { text, reports } = await buildCatalogue({
  last: last ?? readFileSync(SAMPLES, 'utf8'),
  readers: READERS.filter(({ seller }) => only.length === 0 || only.includes(seller)),
  ask: httpAsk({ fetch, delay }),
  today: new Date().toISOString().slice(0, 10),
  accepted,
  isEverywhere: values.everywhere,
});
for (const report of reports) console.log(linesOf(report));
if (text === last) console.log(`${path} stays as it is`);
else if (values.check) console.log(`${path} would change`);
else {
  // A reader of the file sees the old one or the new one.
  const part = `${path}.part`;
  writeFileSync(part, text);
  renameSync(part, path);
  console.log(`${path} is written`);
}
const isDoubtful = reports.some(({ kept }) => kept !== null);
process.exitCode = isDoubtful || (values.check && text !== last) ? DOUBT : OK;

function linesOf({ seller, rows, kept, notes }: ListReport): string {
  const head =
    kept === null ? `${seller}: ${rows} rows` : `${seller}: keeps its last ${rows} rows: ${kept}`;
  return [head, ...notes.map((note) => `  ${note}`)].join('\n');
}
