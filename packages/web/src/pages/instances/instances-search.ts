import {
  choiceParameter,
  type SearchOf,
  searchSchema,
  textParameter,
} from '../../ui/search-schema.ts';

/** The filters in the URL. `fleet_ids`: only instances of these, as links of the official UI have it. */
export const InstancesSearch = searchSchema({
  q: textParameter(),
  show: choiceParameter(['all']),
  group: textParameter(),
  fleet_ids: textParameter(1, 4000),
});
export type InstancesSearch = SearchOf<typeof InstancesSearch>;
