/**
 * Parts of answers that are made of a record alone. Records never change, and as long as nothing
 * is written the store answers the same ones again (see its `RecordCache`): then neither the part
 * nor its JSON has to be made anew. Both live as long as their record does, no longer.
 */

/** Null until the part was sent for the first time. */
const texts = new WeakMap<object, string | null>();

interface Made<P, A> {
  readonly part: P;
  readonly rest: A;
}

/**
 * `shape`, remembering its answer for each record and the rest of the arguments of the last call.
 * `shape` must be pure, and its answer always stand in the same field.
 *
 * @example const wireJobSpec = perRecord((spec: JobSpec) => ({ ...spec, ssh_key: null }));
 */
export function perRecord<R extends object, P extends object, A extends readonly string[] = []>(
  shape: (record: R, ...rest: A) => P,
): (record: R, ...rest: A) => P {
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

/** Answers the text; keeps it if this is such a part. */
export function keepText(part: object, text: string): string {
  if (!texts.has(part)) return text;
  // A text that was put together is a tree of pieces until it is copied into one.
  const whole = Buffer.from(text).toString();
  texts.set(part, whole);
  return whole;
}
