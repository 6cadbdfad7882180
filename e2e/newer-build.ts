import {
  appendFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';

/** The product with one byte of the agent changed. */
export function newerBuild(): string {
  const root = resolve(import.meta.dirname, '..');
  const copy = join(root, 'dist', `newer-${process.pid}`);
  for (const part of ['bin', 'dist/cli', 'dist/server', 'dist/agent']) {
    cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  appendFileSync(join(copy, 'dist', 'agent', 'main.js'), '// newer\n');
  return copy;
}

export interface LaterMigration {
  /** Also the name of the table and the columns that it adds. */
  readonly name: string;
  readonly isAdditive: boolean;
}

/** Makes the server in this folder one of a newer version, with more migrations than the built one. */
export function addMigrations(server: string, later: readonly LaterMigration[]): void {
  const root = resolve(import.meta.dirname, '..');
  const built = join(root, 'dist', 'server');
  const last = lastMigration(join(root, 'packages', 'store', 'src', 'migrations'));
  for (const file of readdirSync(built)) {
    if (!file.endsWith('.js')) continue;
    const text = readFileSync(join(built, file), 'utf8');
    const [, variable] = new RegExp(`([\\w$]+)=\\{name:"${last}"`).exec(text) ?? [];
    if (variable === undefined) continue;
    const list = [variable, ...later.map(sourceOf)].join(',');
    const changed = text.replace(`,${variable}];`, () => `,${list}];`);
    if (changed === text) throw new Error(`${file} has no list that ends with ${variable}`);
    writeFileSync(join(server, file), changed);
    return;
  }
  throw new Error(`${built} has no migration "${last}"`);
}

function lastMigration(folder: string): string {
  const files = readdirSync(folder).filter((file) => /^\d{4}-/.test(file));
  const text = readFileSync(join(folder, files.sort().at(-1) ?? ''), 'utf8');
  return /name: '(.+)',\s+isAdditive/.exec(text)?.[1] ?? '';
}

function sourceOf({ name, isAdditive }: LaterMigration): string {
  return `{name:"${name}",isAdditive:${isAdditive},async up({db}){
    await db.schema.createTable("${name}").addColumn("id","text").execute();
    for (const table of ["runs","jobs","instances","users"])
      await db.schema.alterTable(table).addColumn("${name}","text").execute();
  }}`;
}
