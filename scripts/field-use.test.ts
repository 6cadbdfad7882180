import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  configurationJsonSchema,
  profilesJsonSchema,
  serverConfigJsonSchema,
} from '@dstack/contract';
import { describe, expect, it } from 'vitest';
import {
  BACKEND_MODEL,
  BACKEND_USE,
  FIELD_USE,
  type FieldUse,
  type ModelUse,
  WHOLE,
} from './field-use.ts';

interface Described {
  readonly title?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly $defs?: Readonly<Record<string, Described>>;
}

/** Keys of every model of the language, by its name. */
function language(): Map<string, readonly string[]> {
  const models = new Map<string, readonly string[]>();
  const schemas = [configurationJsonSchema(), profilesJsonSchema(), serverConfigJsonSchema()];
  for (const schema of schemas as Described[]) {
    for (const [name, model] of [...Object.entries(schema.$defs ?? {}), ['', schema] as const]) {
      const properties = Object.keys(model.properties ?? {});
      if (properties.length > 0) models.set(name || (schema.title ?? ''), properties);
    }
  }
  return models;
}

const packages = join(import.meta.dirname, '..', 'packages');

/** Sources of a file or of all files of a folder, tests left out. */
function sources(where: string): string {
  const path = join(packages, where);
  if (!existsSync(path)) return '';
  if (statSync(path).isFile()) return readFileSync(path, 'utf8');
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' });
  const own = names.filter((name) => name.endsWith('.ts') && !/\.test\.ts$|testing/.test(name));
  return own.map((name) => readFileSync(join(path, name), 'utf8')).join('\n');
}

/** Null if the place contains the text of the table. */
function problem(key: string, { where, text }: FieldUse): string | null {
  const source = sources(where);
  const found =
    text === undefined ? new RegExp(`\\b${key}\\b`).test(source) : source.includes(text);
  return found ? null : `${key}: ${where} does not have ${text ?? 'its name'}`;
}

describe('every key of the configuration language', () => {
  const models = [...language()];
  const single = models.filter(([name]) => !(name in WHOLE) && !BACKEND_MODEL.test(name));

  it.each(single)('of %s is used, refused or noted', (name, keys) => {
    const table: ModelUse = FIELD_USE[name] ?? {};
    expect(Object.keys(table).sort()).toEqual([...keys].sort());
    expect(Object.entries(table).flatMap(([key, use]) => problem(key, use) ?? [])).toEqual([]);
  });

  it('of the table belongs to a model of the language', () => {
    const known = new Set(models.map(([name]) => name));
    const stale = [...Object.keys(FIELD_USE), ...Object.keys(WHOLE)].filter((n) => !known.has(n));
    expect(stale).toEqual([]);
  });

  it('of a model that is refused or noted as a whole is handled in the place of the table', () => {
    const uses = [...Object.entries(WHOLE), ['backends', BACKEND_USE] as const];
    expect(uses.flatMap(([name, use]) => problem(name, use) ?? [])).toEqual([]);
    expect(uses.filter(([, { how }]) => how === 'used')).toEqual([]);
  });
});
