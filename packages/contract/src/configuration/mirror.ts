/** Copies of requests for another service. Ours: dstack 0.22.5 has none. */
import * as z from 'zod';
import { RESOURCE_NAME } from '../grammar/names.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { int, stringBy } from './scalars.ts';
import { choice, closed, named } from './schema-kit.ts';

export const MIRRORED_METHODS = [
  'GET',
  'HEAD',
  'OPTIONS',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
] as const;

const serviceName = (text: string): string | Problem =>
  RESOURCE_NAME.test(text)
    ? text
    : new Problem(`must be the name of a service of the project, got ${quote(text)}`);

/** By default those that change nothing. */
export const Mirror = named(
  'Mirror',
  closed({
    service: stringBy(serviceName),
    percent: int({ ge: 1, le: 100 }).default(100),
    methods: z.array(choice(MIRRORED_METHODS)).min(1).default(['GET', 'HEAD']),
  }),
);
export type Mirror = z.infer<typeof Mirror>;
