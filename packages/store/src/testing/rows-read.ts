/** Counts what questions to a store read of its large tables. */
import { DatabaseSync } from 'node:sqlite';
import { parseDatabaseUrl } from '../connection/url.ts';
import type { Store } from '../store.ts';
import { rawSql } from './raw-sql.ts';
import type { StoreTests } from './stores.ts';

/** Tables with a row for each run, job or event of the last year. */
const LARGE = ['runs', 'jobs', 'events', 'event_targets'];

/**
 * The reasons why a question would be slow in a year: on PostgreSQL the number of rows that it has read, on
 * SQLite, which counts nothing, the steps of its plan that walk a whole table or sort all that they find.
 */
export async function slowParts(
  tests: StoreTests,
  url: string,
  ask: (store: Store) => Promise<unknown>,
  most: number,
): Promise<readonly string[]> {
  const statements = new Set<string>();
  const before = tests.dialect === 'postgres' ? await rowsRead(url) : 0;
  // A connection reports its counters when it ends.
  const store = await tests.open({ url, onStatement: (text) => statements.add(text) });
  statements.clear();
  await ask(store);
  const asked = [...statements];
  await store.close();
  if (tests.dialect === 'sqlite') return asked.flatMap((text) => slowSteps(url, text));
  const rows = (await rowsRead(url)) - before;
  return rows > most ? [`${rows} rows are read by ${asked.join('\n')}`] : [];
}

async function rowsRead(url: string): Promise<number> {
  const tables = LARGE.map((name) => `'${name}'`).join(', ');
  const [row] = await rawSql(
    url,
    `select (select sum(seq_tup_read) from pg_stat_user_tables where relname in (${tables}))
      + (select sum(idx_tup_read) from pg_stat_user_indexes where relname in (${tables})) as n`,
  );
  return Number(row?.n);
}

interface PlanStep {
  readonly parent: number;
  readonly detail: string;
}

function slowSteps(url: string, statement: string): string[] {
  const parsed = parseDatabaseUrl(url);
  if (parsed.dialect !== 'sqlite' || !/^\s*(select|with)\b/i.test(statement)) return [];
  const database = new DatabaseSync(parsed.path);
  try {
    const rows = database.prepare(`explain query plan ${statement}`).all();
    const steps = rows.map((row) => ({ parent: Number(row.parent), detail: String(row.detail) }));
    const names = aliases(statement);
    // The answers of a limited question inside of it.
    const inner = steps.filter(({ detail }) => detail.startsWith('CO-ROUTINE '));
    const parts = new Set(inner.map(({ detail }) => detail.replace('CO-ROUTINE', 'SCAN')));
    return steps
      .filter(
        (step) =>
          isLarge(step, names) &&
          !parts.has(step.detail) &&
          (walksAll(step) || isSorted(step, steps)),
      )
      .map(({ detail }) => `${detail}: ${statement}`);
  } finally {
    database.close();
  }
}

const TABLE = /^(?:SCAN|SEARCH) (\w+)/;

function isLarge({ detail }: PlanStep, names: ReadonlyMap<string, string>): boolean {
  const [, name = ''] = TABLE.exec(detail) ?? [];
  return LARGE.includes(names.get(name) ?? name);
}

const walksAll = ({ detail }: PlanStep) => detail.startsWith('SCAN') && !detail.includes(' USING ');

/** All that a condition finds is sorted, and most of it not shown. Found by ids it is what is shown. */
function isSorted({ parent, detail }: PlanStep, steps: readonly PlanStep[]): boolean {
  if (/\(\w*id=\?( AND|\))/.test(detail) && !detail.includes('project_id=?')) return false;
  return steps.some(
    (step) => step.parent === parent && step.detail === 'USE TEMP B-TREE FOR ORDER BY',
  );
}

/** Returns the aliases of the large tables in a statement. */
function aliases(statement: string): ReadonlyMap<string, string> {
  const found = statement.matchAll(/\b(runs|jobs|events|event_targets)"? (?:as )?"?(\w+)/g);
  return new Map([...found].map(([, table = '', alias = '']) => [alias, table]));
}
