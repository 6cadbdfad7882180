import { inBackground } from '../connection/callers.ts';
import type { GroupedWrite, StoreContext } from './context.ts';

interface Waiting {
  readonly work: (write: GroupedWrite) => Promise<unknown>;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Few enough that a transaction keeps the database for some milliseconds only. */
const MOST_IN_GROUP = 32;

/**
 * One transaction for small writes that are asked for while another group of them is written: a transaction
 * costs several times what its one statement does. Each resolves when the whole group is stored. If a group
 * fails, each of its writes gets a transaction of its own, so that one cannot spoil the others: `work` may be
 * called twice, and must depend on no other record than those that it writes.
 */
export function createGroupedWrites(write: StoreContext['write']): StoreContext['writeGrouped'] {
  let waiting: Waiting[] = [];
  let isWriting = false;

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting.slice(0, MOST_IN_GROUP);
      waiting = waiting.slice(MOST_IN_GROUP);
      if (group.length === 1 || !(await wroteTogether(group))) await writeEach(group);
    }
    isWriting = false;
  }

  async function wroteTogether(group: readonly Waiting[]): Promise<boolean> {
    try {
      const answers = await write(async (one) => {
        const all: unknown[] = [];
        for (const { work } of group) all.push(await work(one));
        return all;
      });
      for (const [index, { resolve }] of group.entries()) resolve(answers[index]);
      return true;
    } catch {
      // It is reported to the one whose write fails alone, too.
      return false;
    }
  }

  async function writeEach(group: readonly Waiting[]): Promise<void> {
    for (const { work, resolve, reject } of group) await write(work).then(resolve, reject);
  }

  return <T>(work: (write: GroupedWrite) => Promise<T>) =>
    new Promise<T>((resolve, reject) => {
      waiting.push({ work, resolve: resolve as (answer: unknown) => void, reject });
      if (isWriting) return;
      isWriting = true;
      // A request among them would not let the others wait for the disk.
      void inBackground(writeAll);
    });
}
