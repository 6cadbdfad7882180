import {
  choiceParameter,
  type SearchOf,
  searchSchema,
  textParameter,
} from '../../ui/search-schema.ts';

/** The filters in the address. `show`: the runs that are kept out of the queue, in place of those in it. */
export const QueueSearch = searchSchema({
  q: textParameter(),
  group: textParameter(),
  show: choiceParameter(['kept']),
});
export type QueueSearch = SearchOf<typeof QueueSearch>;
