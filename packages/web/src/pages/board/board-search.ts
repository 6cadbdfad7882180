import {
  choiceParameter,
  type SearchOf,
  searchSchema,
  textParameter,
} from '../../ui/search-schema.ts';

/** The parameters in the address of the board. `hours`: how far it looks ahead, 6 by default. */
export const BoardSearch = searchSchema({
  q: textParameter(),
  hours: choiceParameter(['1', '6', '24']),
  view: choiceParameter(['table']),
});
export type BoardSearch = SearchOf<typeof BoardSearch>;
