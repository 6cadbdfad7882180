import * as z from 'zod/mini';

/** A text in the URL; a value that is not understood counts as missing. */
export const SearchText = z.catch(z.optional(z.string().check(z.maxLength(200))), undefined);

/** The part of a list's address that all lists have. */
export const ListSearch = z.object({ q: SearchText });
export type ListSearch = z.infer<typeof ListSearch>;
