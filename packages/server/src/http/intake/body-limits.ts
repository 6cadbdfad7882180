/**
 * What a body may hold, per endpoint. The figures follow what is legal and what it costs: none of
 * them keeps the server's one thread busy for more than a few hundredths of a second.
 */
import type { EndpointName } from '@dstack/contract/api';
import type { JsonLimits, ListRule } from './json-scan.ts';

export interface BodyLimits {
  /** Bytes that come in. */
  readonly sent: number;
  /** Bytes that are kept of them. */
  readonly kept: number;
  readonly json: JsonLimits;
}

const KIB = 1024;
const MIB = 1024 * KIB;

const JSON_LIMITS: JsonLimits = {
  // Requests have a dozen.
  depth: 100,
  parts: 6000,
  lists: new Map(),
};

const ORDINARY: BodyLimits = { sent: MIB, kept: MIB, json: JSON_LIMITS };

/** More than a thousand hosts with everything there is to say about each. */
const LONG: ListRule = { kind: 'long', parts: 30_000 };

/** Clients send back the resource that they have seen, of which nobody reads the largest part. */
const LEFT_OUT: ListRule = { kind: 'leave-out' };

const withLists = (limits: BodyLimits, lists: Readonly<Record<string, ListRule>>): BodyLimits => ({
  ...limits,
  json: { ...limits.json, lists: new Map(Object.entries(lists)) },
});

const SEEN = { ...ORDINARY, sent: 32 * MIB };
const hosts = 'configuration.ssh_config.hosts';

const LIMITS: Partial<Record<EndpointName, BodyLimits>> = {
  'runs.apply': withLists(SEEN, { 'plan.current_resource.jobs': LEFT_OUT }),
  'fleets.get_plan': withLists(ORDINARY, { [`spec.${hosts}`]: LONG }),
  'fleets.apply': withLists(SEEN, {
    [`plan.spec.${hosts}`]: LONG,
    [`plan.current_resource.spec.${hosts}`]: LONG,
    'plan.current_resource.instances': LEFT_OUT,
  }),
  'projects.set_members': withLists(ORDINARY, { members: LONG }),
  // Messages carry images as text.
  'proxy.chat_completions': { ...ORDINARY, sent: 16 * MIB, kept: 16 * MIB },
};

/** A stranger's body, where one is read at all. */
const STRANGER: BodyLimits = {
  sent: 64 * KIB,
  kept: 64 * KIB,
  json: { ...JSON_LIMITS, parts: 2000 },
};

export function bodyLimits(endpoint: EndpointName, isStranger: boolean): BodyLimits {
  return isStranger ? STRANGER : (LIMITS[endpoint] ?? ORDINARY);
}
