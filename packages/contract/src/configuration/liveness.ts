/** When a replica that runs is restarted. Ours: dstack 0.22.5 has only `probes`, for readiness. */
import * as z from 'zod';
import { duration } from './durations.ts';
import { withRules } from './rules.ts';
import { int, optional, string } from './scalars.ts';
import { choice, closed, named } from './schema-kit.ts';
import { HTTPHeaderSpec, PROBE_METHODS, ProbeUrl } from './service-parts.ts';

/** Null parts mean the defaults: `/`, `get`, 10 s, 15 s, 3 failures, 5 minutes. */
export const Liveness = named(
  'Liveness',
  withRules(
    closed({
      url: optional(ProbeUrl),
      method: optional(choice(PROBE_METHODS, 'literal_error')),
      headers: z.array(HTTPHeaderSpec).max(16).default([]),
      body: optional(string({ min: 1, max: 2048 })),
      timeout: optional(duration({ ge: 1 })),
      interval: optional(duration({ ge: 1 })),
      failures: optional(int({ ge: 1, le: 1000 })),
      start_period: optional(duration({ ge: 0 })),
    }),
    ({ body, method }, broken) => {
      const sends = method !== null && method !== 'get' && method !== 'head';
      if (body !== null && !sends) {
        broken(['body', 'method'], `can't send a body with method ${method ?? 'get'}: use post`);
      }
    },
  ),
);
export type Liveness = z.infer<typeof Liveness>;
