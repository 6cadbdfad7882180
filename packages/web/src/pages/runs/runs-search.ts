import { STATUS_FILTERS, type StatusFilter } from '../../domain/runs/run-actions.ts';
import {
  choiceParameter,
  type SearchOf,
  searchSchema,
  textParameter,
} from '../../ui/search-schema.ts';
import { RUN_GROUP_NAMES } from './run-groups.ts';

const LAUNCH_TYPES = ['task', 'service', 'dev-environment'] as const;

/** The filters in the URL. A value that is not understood counts as missing. */
export const RunsSearch = searchSchema({
  q: textParameter(),
  user: textParameter(),
  status: choiceParameter(Object.keys(STATUS_FILTERS) as StatusFilter[]),
  type: choiceParameter(LAUNCH_TYPES),
  group: choiceParameter(RUN_GROUP_NAMES),
  /** The column by which the rows are sorted, with `-` before it from the highest on; none: newest first. */
  sort: textParameter(),
});
export type RunsSearch = SearchOf<typeof RunsSearch>;
