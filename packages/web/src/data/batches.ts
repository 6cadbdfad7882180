/** Asks for one of many things; null: the answer is without it. */
export type OneOfMany<Value> = (key: string, signal: AbortSignal) => Promise<Value | null>;

interface Waiting<Value> {
  readonly signal: AbortSignal;
  readonly resolve: (value: Value | null) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Joins what is asked for in one turn of the event loop, as by the rows of a table, into requests for `most`
 * things each.
 */
export function batched<Value>(
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
  most: number,
): OneOfMany<Value> {
  let waiting = new Map<string, Waiting<Value>[]>();
  const flush = (): void => {
    // Leaves out keys that no component waits for any more, such as those of rows scrolled out of view.
    const wanted = [...waiting].filter(([, list]) => list.some(({ signal }) => !signal.aborted));
    waiting = new Map();
    for (let at = 0; at < wanted.length; at += most) void answer(wanted.slice(at, at + most));
  };
  const answer = async (wanted: readonly (readonly [string, Waiting<Value>[]])[]) => {
    const all = wanted.flatMap(([key, list]) => list.map((one) => ({ key, ...one })));
    try {
      const values = await load(wanted.map(([key]) => key));
      for (const { key, resolve } of all) resolve(values.get(key) ?? null);
    } catch (error) {
      for (const { reject } of all) reject(error);
    }
  };
  return (key, signal) =>
    new Promise((resolve, reject) => {
      if (waiting.size === 0) setTimeout(flush);
      waiting.set(key, [...(waiting.get(key) ?? []), { signal, resolve, reject }]);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
}
