/** Requests to a service without replicas. Ours: dstack 0.22.5 answers them at once. */
import type * as z from 'zod';
import { duration } from './durations.ts';
import { withRules } from './rules.ts';
import { int, optional } from './scalars.ts';
import { closed, named } from './schema-kit.ts';

/** Seconds: proxies and clients end connections that are silent for longer. */
const MOST_SECONDS = 3600;

/** Null parts mean the defaults: a minute, and the limit of the server. */
export const HeldRequests = named(
  'HeldRequests',
  withRules(
    closed({
      timeout: optional(duration({ ge: 1 })),
      limit: optional(int({ ge: 1, le: 100_000 })),
    }),
    ({ timeout }, broken) => {
      if ((timeout ?? 0) > MOST_SECONDS) broken(['timeout'], 'must be 1h or less');
    },
  ),
);
export type HeldRequests = z.infer<typeof HeldRequests>;
