/**
 * Tables in a folder, one JSON file for each record, so that another process, or this one after a
 * restart, finds the same machines. Files appear and disappear as a whole, so a killed process
 * leaves none half written.
 */
import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  watch as watchFolder,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { SimRecord, SimTable, SimTables } from './tables.ts';

export function fileTables(dir: string): SimTables {
  return {
    machines: recorded(fileTable(join(dir, 'machines')), historyPath(dir)),
    interruptions: fileTable(join(dir, 'interruptions')),
    releases: fileTable(join(dir, 'releases')),
    volumes: fileTable(join(dir, 'volumes')),
    attachments: fileTable(join(dir, 'attachments')),
    detachments: fileTable(join(dir, 'detachments')),
    groups: fileTable(join(dir, 'groups')),
  };
}

/** The history of the machines of all processes, one line per event. */
export function historyOf(dir: string): readonly string[] {
  const path = historyPath(dir);
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
}

const historyPath = (dir: string) => join(dir, 'history');

function recorded<T extends SimRecord>(table: SimTable<T>, path: string): SimTable<T> {
  return {
    ...table,
    get size() {
      return table.size;
    },
    add(record) {
      const isNew = table.add(record);
      if (isNew) appendFileSync(path, `+${record.id}\n`);
      return isNew;
    },
    delete(id) {
      if (table.get(id)) appendFileSync(path, `-${id}\n`);
      table.delete(id);
    },
  };
}

const SUFFIX = '.json';

function fileTable<T extends SimRecord>(dir: string): SimTable<T> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const pathOf = (id: string) => join(dir, `${encodeURIComponent(id)}${SUFFIX}`);
  const names = () => readdirSync(dir).filter((name) => name.endsWith(SUFFIX));
  let written = 0;
  return {
    get size() {
      return names().length;
    },
    add(record) {
      const draft = join(dir, `draft-${process.pid}-${++written}`);
      writeFileSync(draft, JSON.stringify(record), { mode: 0o600 });
      try {
        return link(draft, pathOf(record.id));
      } finally {
        rmSync(draft);
      }
    },
    get: (id) => read<T>(pathOf(id)),
    all: () => names().flatMap((name) => read<T>(join(dir, name)) ?? []),
    delete: (id) => rmSync(pathOf(id), { force: true }),
    watch(onChange) {
      const watcher = watchFolder(dir, { persistent: false }, (_, name) => {
        if (name?.endsWith(SUFFIX)) onChange(decodeURIComponent(name.slice(0, -SUFFIX.length)));
      });
      return () => watcher.close();
    },
  };
}

/** Unlike a rename, it never replaces an existing file. */
function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function read<T>(path: string): T | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch (error) {
    // Deleted since the folder was listed.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
