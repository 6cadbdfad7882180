import type { Id } from '@dstack/core';

interface Waiting<T> {
  resolve(found: T | null): void;
  reject(error: unknown): void;
}

/**
 * Reads by one query what is asked for at the same time: a change of a job wakes all who follow it, and each
 * of them needs the job. Nothing is kept: a later question causes another query. Callers share the answer, and
 * must not change it.
 */
export function together<T>(
  load: (ids: readonly Id[]) => Promise<ReadonlyMap<Id, T>>,
): (id: Id) => Promise<T | null> {
  let waiting = new Map<Id, Waiting<T>[]>();
  const answer = async () => {
    const asked = waiting;
    waiting = new Map();
    try {
      const found = await load([...asked.keys()]);
      for (const [id, all] of asked) for (const one of all) one.resolve(found.get(id) ?? null);
    } catch (error) {
      for (const all of asked.values()) for (const one of all) one.reject(error);
    }
  };
  return (id) =>
    new Promise((resolve, reject) => {
      // After the reactions to the promises that are settled already: they ask for more.
      if (waiting.size === 0) void Promise.resolve().then(() => process.nextTick(answer));
      const same = waiting.get(id);
      if (same) same.push({ resolve, reject });
      else waiting.set(id, [{ resolve, reject }]);
    });
}
