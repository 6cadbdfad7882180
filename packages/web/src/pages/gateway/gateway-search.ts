import {
  choiceParameter,
  numberParameter,
  type SearchOf,
  searchSchema,
} from '../../ui/search-schema.ts';

/** Which logs the page shows. `follow`: `off` = no new lines. */
export const GatewaySearch = searchSchema({
  replica: numberParameter(0, 9999),
  log: choiceParameter(['gateway', 'nginx']),
  follow: choiceParameter(['off']),
});
export type GatewaySearch = SearchOf<typeof GatewaySearch>;
