import type * as z from 'zod';

/** A message of another server of the database. Null: it is of another kind, or of a newer server. */
export function peerMessage<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
): z.infer<Schema> | null {
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    // Other messages need not be JSON.
    return null;
  }
}
