/**
 * Writes the rows and files that a day of runs leaves behind: copies of a story, with ids, names and times of
 * their own, by one statement for each table.
 */
import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { type NewEvent, SECOND } from '@dstack/core';
import type { Store } from '@dstack/store';
import { MARK, type StoryRows, type StoryTable } from './repeatable.ts';
import type { Story } from './story.ts';
import type { YearDatabase } from './year-database.ts';

export const DAY = 86_400 * SECOND;
/** The number of runs of a copy that a user deletes the day after. */
const DELETED = 10;

export interface BirthsParts {
  readonly store: Store;
  readonly database: YearDatabase;
  readonly story: Story & StoryRows & { readonly folders: StoryFolders };
  /** Null: they are rows. */
  readonly folders: { readonly logs: string; readonly blobs: string } | null;
  /** The number of copies of the story that each day with births gets. */
  readonly copies: number;
}

/** Files of the story. */
export interface StoryFolders {
  readonly logs: string;
  readonly blobs: string;
}

export class Births {
  readonly #parts: BirthsParts;
  readonly #logs: readonly { readonly from: string; readonly to: string }[];
  #yesterday: readonly string[] = [];
  #project = '';

  constructor(parts: BirthsParts) {
    this.#parts = parts;
    const { story, folders } = parts;
    const logs = folders === null ? [] : filesIn(story.folders.logs);
    this.#logs = logs.map((from) => ({
      ...{ from, to: story.renamed(relative(story.folders.logs, from)) },
    }));
  }

  /** Runs of one copy. */
  get runs(): number {
    return this.#table('runs').repeated.length;
  }

  async begin(): Promise<void> {
    const { database, story } = this.#parts;
    await database.run('create temp table copies (part text, shift bigint, days bigint)');
    for (const table of story.tables) await database.keepStory(table);
    const main = this.#table('projects').fixed.find(({ name }) => name === 'main');
    this.#project = String(main?.id);
  }

  /** The runs of the day that begins at `at`; each has ended when it is written. */
  async day(at: number): Promise<void> {
    const { database, story } = this.#parts;
    const copies = Array.from({ length: this.#parts.copies }, (_, n) => {
      const end = at + Math.floor((n * DAY) / this.#parts.copies);
      return { part: randomUUID().slice(0, MARK.length), shift: end - story.end };
    });
    const values = copies.map(
      ({ part, shift }) =>
        `('${part}', ${shift}, ${Math.floor(at / DAY) - Math.floor(story.end / DAY)})`,
    );
    await database.run(`begin; delete from copies; insert into copies values ${values.join(', ')}`);
    for (const table of story.tables) if (table.repeated.length > 0) await this.#copy(table);
    await database.run('commit');
    for (const { part } of copies) this.#link(part);
    await this.#deletions(copies.map(({ part }) => part));
  }

  async #copy({ name, columns, repeated }: StoryTable): Promise<void> {
    const { database, copies } = this.#parts;
    const values = Object.entries(columns).map(([column, kind]) => {
      const old = `t.${database.quoted(column)}`;
      if (kind === 'mark') return database.replaced(name, column, MARK, 'c.part');
      if (kind === 'time') return `case when ${old} > 1e15 then ${old} + c.shift else ${old} end`;
      return kind === 'day' ? `${old} + c.days` : old;
    });
    const names = Object.keys(columns).map((column) => database.quoted(column));
    const count = await database.change(`insert into ${name} (${names.join(', ')})
      select ${values.join(', ')} from story.${name} t cross join copies c
      ${Object.values(columns).includes('mark') ? '' : 'where c.part = (select min(part) from copies)'}`);
    const isPerDay = !Object.values(columns).includes('mark');
    const expected = repeated.length * (isPerDay ? 1 : copies);
    if (count !== expected) throw new Error(`${name}: ${count} rows instead of ${expected}`);
  }

  /** Names of the same files: large logs take no memory of the computer for each copy. */
  #link(part: string): void {
    const { story, folders } = this.#parts;
    if (folders === null) return;
    const made = new Set<string>();
    const link = (from: string, to: string) => {
      const folder = dirname(to);
      if (!made.has(folder)) mkdirSync(folder, { recursive: true });
      made.add(folder);
      linkSync(from, to);
    };
    for (const { from, to } of this.#logs)
      link(from, join(folders.logs, to.replaceAll(MARK, part)));
    for (const id of story.uploads) {
      const name = story.renamed(id).replace(MARK, part);
      link(join(story.folders.blobs, 'upload'), join(folders.blobs, name.slice(0, 2), name));
    }
  }

  /** By the function of the API. */
  async #deletions(parts: readonly string[]): Promise<void> {
    const of: NewEvent = {
      ...{ action: 'legacy', data: { text: 'Run deleted' }, outcome: 'done' },
      ...{ actor: null, targets: [] },
    };
    if (this.#yesterday.length > 0) {
      await this.#parts.store.runs.delete(this.#project, [...this.#yesterday], () => of);
    }
    const names = Array.from({ length: DELETED }, (_, n) => `p${n}-`);
    this.#yesterday = parts.flatMap((part) => names.map((name) => name + part));
  }

  #table(name: string): StoryTable {
    const table = this.#parts.story.tables.find((one) => one.name === name);
    if (!table) throw new Error(`the story has no ${name}`);
    return table;
  }
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
