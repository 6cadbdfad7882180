import type { Cli } from '../context.ts';
import { hangingText } from '../terminal/text-width.ts';
import { watchFrames } from '../terminal/watch.ts';
import type { ListOptions, OutputOptions } from './output-options.ts';

/** A list of objects of one kind, in every form in which it can be printed. */
export interface Listing<T> {
  /** The key of the list in JSON and YAML. */
  readonly key: string;
  readonly load: () => Promise<readonly T[]>;
  readonly table: (items: readonly T[], verbose: boolean) => string;
  readonly name: (item: T) => string;
  /** Printed instead of an empty table: what there is none of, and the command that makes one. */
  readonly empty: string;
  /** The other keys of the JSON document. */
  readonly document?: Readonly<Record<string, unknown>>;
}

export async function showList<T>(
  listing: Listing<T>,
  options: ListOptions,
  cli: Cli,
): Promise<void> {
  const table = (items: readonly T[]): string =>
    items.length === 0
      ? `${hangingText(listing.empty, 0, cli.io.width)}\n`
      : listing.table(items, options.verbose);
  if (options.watch) return watchFrames(cli, async () => table(await listing.load()));
  const items = await listing.load();
  switch (options.format) {
    case 'json':
      cli.io.json({ ...listing.document, [listing.key]: items });
      return;
    case 'yaml':
      return printYaml({ ...listing.document, [listing.key]: items }, cli);
    case 'name':
      for (const item of items) cli.io.print(listing.name(item));
      return;
    case 'table':
      // A message, not data: readers of a pipe expect rows.
      if (items.length === 0) cli.io.info(hangingText(listing.empty, 0, cli.io.errWidth));
      else cli.io.print(table(items));
  }
}

/** A single object; `table` shows all of its columns. */
export async function showOne<T>(
  item: T,
  { table, name }: Pick<Listing<T>, 'table' | 'name'>,
  { format }: Pick<OutputOptions, 'format'>,
  cli: Cli,
): Promise<void> {
  switch (format) {
    case 'json':
      cli.io.json(item, 2);
      return;
    case 'yaml':
      return printYaml(item, cli);
    case 'name':
      cli.io.print(name(item));
      return;
    case 'table':
      cli.io.print(table([item], true));
  }
}

/** The document that JSON output has, as YAML. */
export async function printYaml(value: unknown, cli: Pick<Cli, 'io'>): Promise<void> {
  const { stringify } = await import('yaml');
  // Through JSON, as which the API describes it: no aliases, no values that YAML alone has.
  cli.io.print(stringify(JSON.parse(JSON.stringify(value)), { aliasDuplicateObjects: false }));
}
