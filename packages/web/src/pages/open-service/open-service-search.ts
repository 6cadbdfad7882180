import { searchSchema, textParameter } from '../../ui/search-schema.ts';

/** Written by the server, when it sends a visitor of a service here. */
export const OpenServiceSearch = searchSchema({
  host: textParameter(1, 253),
  state: textParameter(1, 100),
  path: textParameter(1, 8000),
});
