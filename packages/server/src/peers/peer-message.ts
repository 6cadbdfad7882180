import type * as z from 'zod';

/** What another server of the database has sent. Null: a message of another kind, or of a newer server. */
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
