/**
 * Caches parts of answers that depend on one record alone. Records are immutable, and the store
 * returns the same ones while nothing is written (see its `RecordCache`), so that neither the part
 * nor its JSON must be built again. The cache of a record lives as long as the record.
 */

/** Null until the part was sent for the first time. */
const texts = new WeakMap<object, string | null>();

interface Made<P, A> {
  readonly part: P;
  readonly rest: A;
}

/**
 * Memoises `shape` for each record, with the remaining arguments of the last call (objects by
 * identity). `shape` must be
 * pure, and its result must always be used in the same field.
 *
 * @example const wireJobSpec = perRecord((spec: JobSpec) => ({ ...spec, ssh_key: null }));
 */
export function perRecord<
  R extends object,
  P extends object,
  A extends readonly (string | object | null)[] = [],
>(shape: (record: R, ...rest: A) => P): (record: R, ...rest: A) => P {
  const made = new WeakMap<R, Made<P, A>>();
  return (record, ...rest) => {
    const known = made.get(record);
    if (known?.rest.every((argument, i) => argument === rest[i])) return known.part;
    const part = shape(record, ...rest);
    texts.set(part, null);
    made.set(record, { part, rest });
    return part;
  };
}

/** The JSON of a part that was sent before. */
export function keptText(part: object): string | null {
  return texts.get(part) ?? null;
}

/** Returns the text; caches it if this is such a part. */
export function keepText(part: object, text: string): string {
  if (!texts.has(part)) return text;
  // A concatenated text is a tree of pieces until it is copied into one.
  const whole = Buffer.from(text).toString();
  texts.set(part, whole);
  return whole;
}
