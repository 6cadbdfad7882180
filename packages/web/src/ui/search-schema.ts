/** Reads one parameter of an address; undefined: it is missing, or not understood. */
export type ReadParameter<T> = (value: unknown) => T | undefined;

export interface SearchSchema<S> {
  readonly parse: (search: Readonly<Record<string, unknown>>) => S;
}

type Found<R> = {
  [K in keyof R]?: R[K] extends ReadParameter<infer T> ? T | undefined : never;
};

/** The parameters of an address that a page understands. They are few and simple, so that no library is needed. */
export function searchSchema<R extends Record<string, ReadParameter<unknown>>>(
  readers: R,
): SearchSchema<Found<R>> {
  return {
    parse: (search) =>
      Object.fromEntries(
        Object.entries(readers).map(([name, read]) => [name, read(search[name])]),
      ) as Found<R>,
  };
}

/** The parameters that a schema reads from an address. */
export type SearchOf<S> = S extends SearchSchema<infer T> ? T : never;

/** A text of this many characters. */
export function textParameter(least = 0, most = 200): ReadParameter<string> {
  return (value) =>
    typeof value === 'string' && value.length >= least && value.length <= most ? value : undefined;
}

export function choiceParameter<const T extends string>(choices: readonly T[]): ReadParameter<T> {
  return (value) => choices.find((choice) => choice === value);
}

/** A whole number in this range. */
export function numberParameter(least: number, most: number): ReadParameter<number> {
  return (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
      ? value
      : undefined;
}
