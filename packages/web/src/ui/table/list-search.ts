import { type SearchOf, searchSchema, textParameter } from '../search-schema.ts';

/** The part of a list's address that all lists have. */
export const ListSearch = searchSchema({ q: textParameter(), group: textParameter() });
export type ListSearch = SearchOf<typeof ListSearch>;
