/**
 * The endpoint table: every path of the API with its permission, its request and its response.
 * Routes are generated and guarded from it, and clients get their types from it.
 */
import type * as z from 'zod';
import type { Endpoint } from './endpoint.ts';
import { accessEndpoints } from './endpoints-access.ts';
import { ourEndpoints } from './endpoints-ours.ts';
import { workEndpoints } from './endpoints-work.ts';

export const endpoints = { ...accessEndpoints, ...workEndpoints, ...ourEndpoints } as const;

export type EndpointName = keyof typeof endpoints;

/** The table as plain entries, for code that treats all entries alike. */
export const endpointList = Object.entries(endpoints) as unknown as readonly (readonly [
  EndpointName,
  Endpoint,
])[];

type Schema<S, Empty> = S extends z.ZodType ? z.output<S> : Empty;

/** The body of a call after validation; undefined if there is none. */
export type EndpointRequest<N extends EndpointName> = Schema<
  (typeof endpoints)[N]['request'],
  undefined
>;

/** The query of a call after validation; undefined if there is none. */
export type EndpointQuery<N extends EndpointName> = Schema<
  (typeof endpoints)[N]['query'],
  undefined
>;

/** The result of a successful call; null if it has none. */
export type EndpointResponse<N extends EndpointName> = Schema<
  (typeof endpoints)[N]['response'],
  null
>;
