import { choiceParameter, numberParameter, searchSchema } from '../../ui/search-schema.ts';

/** The time ranges of charts. */
export const RANGES = {
  '15m': { label: '15 min', minutes: 15 },
  '1h': { label: '1 h', minutes: 60 },
  '6h': { label: '6 h', minutes: 360 },
  '24h': { label: '24 h', minutes: 1440 },
  all: { label: 'All', minutes: null },
} as const;
export type RangeName = keyof typeof RANGES;

export const MetricsSearch = searchSchema({
  range: choiceParameter(Object.keys(RANGES) as RangeName[]),
  /** Which jobs are shown, where not all fit: 1 is the first page. */
  page: numberParameter(1, 10_000),
});
