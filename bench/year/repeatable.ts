/**
 * Reads a story as rows that can be repeated: whatever belongs to its runs, machines, fleets and volumes gets
 * ids and names with one common part, so that a copy of the whole story is one replacement in each column of
 * text. Which rows are copied follows from the schema and the rules of retention: every row that names
 * something of the story, and every table that retention empties, so that no new table is forgotten.
 */
import { DatabaseSync } from 'node:sqlite';
import { RETENTION_RULES, type RetentionRule } from '@dstack/store';

/** The common part: all of a UUID but its last eight digits, which differ within the story. */
export const MARK = '00000000-0000-4000-8000-0000';

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const RUN_NAME = /(?<![\w-])(run|plain|uploaded)-(\d+)(?!\w)/g;
const GATEWAY_NAME = /(?<![\w-])edge-[a-z]+(?!\w)/g;
/** Larger numbers are times in µs. */
const LEAST_TIME = 1e15;

export type Row = Readonly<Record<string, unknown>>;

export interface StoryTable {
  readonly name: string;
  /** How each column of a copy differs. */
  readonly columns: Readonly<Record<string, 'same' | 'mark' | 'time' | 'day'>>;
  /** The rows that are there once: users, projects and settings. */
  readonly fixed: readonly Row[];
  readonly repeated: readonly Row[];
}

export interface StoryRows {
  readonly tables: readonly StoryTable[];
  /** Returns the new form of an id or a name of the story. */
  readonly renamed: (text: string) => string;
}

/** The table follows something that ends. */
function isOfWork(table: string): boolean {
  const rule = (RETENTION_RULES as Readonly<Record<string, RetentionRule>>)[table];
  if (!rule) throw new Error(`the table ${table} has no rule of retention`);
  return rule.keep === 'period' || (rule.keep === 'with' && isOfWork(rule.owner));
}

export function readStory(path: string): StoryRows {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const names = database
      .prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
      .all()
      .map(({ name }) => String(name))
      .filter((name) => name !== 'dstack_migrations');
    const rowsOf = (name: string): Row[] => database.prepare(`select * from ${name}`).all();
    const fixed = names.filter((name) => !isOfWork(name)).flatMap((name) => rowsOf(name));
    const renamed = renamer(new Set(fixed.map(({ id }) => String(id))));
    const tables = names.map((name) => storyTable(name, rowsOf(name), renamed));
    return {
      tables: tables.filter(({ fixed, repeated }) => fixed.length + repeated.length > 0),
      renamed,
    };
  } finally {
    database.close();
  }
}

function renamer(fixed: ReadonlySet<string>): (text: string) => string {
  const numbers = new Map<string, string>();
  const ofId = (id: string): string => {
    if (fixed.has(id) || id.startsWith(MARK)) return id;
    const number = numbers.get(id) ?? numbers.size.toString(16).padStart(8, '0');
    numbers.set(id, number);
    return MARK + number;
  };
  return (text) =>
    text
      .replace(UUID, ofId)
      .replace(RUN_NAME, (_, kind, n) => `${kind[0]}${n}-${MARK}`)
      .replace(GATEWAY_NAME, (name) => `${name}-${MARK}`);
}

function storyTable(
  name: string,
  rows: readonly Row[],
  renamed: (text: string) => string,
): StoryTable {
  const all = rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([column, value]) => [
        column,
        typeof value === 'string' ? renamed(value) : value,
      ]),
    ),
  );
  const isMarked = (row: Row) => Object.values(row).some(hasMark);
  // Beside what the story has made there is the host of the server, which stays.
  const isOfServer = (row: Row) => Object.values(row).includes('local');
  // Facts about the installation name its servers, and are there once.
  const isRepeated = (row: Row) => isMarked(row) || (isOfWork(name) && !isOfServer(row));
  const repeated = name === 'server_meta' ? [] : all.filter(isRepeated);
  const columns = Object.fromEntries(
    Object.keys(all[0] ?? {}).map((column) => [column, kindOf(column, repeated)] as const),
  );
  const kinds = Object.values(columns);
  if (repeated.some((row) => !isMarked(row)) && !kinds.includes('day')) {
    throw new Error(`rows of ${name} name nothing of the story: their copies would be the same`);
  }
  return { name, columns, repeated, fixed: all.filter((row) => !repeated.includes(row)) };
}

const hasMark = (value: unknown): boolean => typeof value === 'string' && value.includes(MARK);

function kindOf(column: string, rows: readonly Row[]): StoryTable['columns'][string] {
  const has = (test: (value: unknown) => boolean) => rows.some((row) => test(row[column]));
  if (has(hasMark)) return 'mark';
  if (has((value) => typeof value === 'number' && value > LEAST_TIME)) return 'time';
  return column === 'day' ? 'day' : 'same';
}
