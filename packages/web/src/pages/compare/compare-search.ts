import {
  choiceParameter,
  type SearchOf,
  searchSchema,
  textParameter,
} from '../../ui/search-schema.ts';

/** `runs`: see `parseRunRefs`; `keys`: which keys of the configurations are shown; `jobs`: in the charts. */
export const CompareSearch = searchSchema({
  runs: textParameter(0, 2000),
  keys: choiceParameter(['differing', 'all']),
  jobs: choiceParameter(['all', 'first']),
});
export type CompareSearch = SearchOf<typeof CompareSearch>;
