import { choiceParameter, type SearchOf, searchSchema, textParameter } from '../search-schema.ts';

/** The filters in the URL. `all`: also what has ended. */
export const EndedSearch = searchSchema({
  q: textParameter(),
  show: choiceParameter(['all']),
  group: textParameter(),
});
export type EndedSearch = SearchOf<typeof EndedSearch>;
