/**
 * Limits of bodies, per endpoint. They allow every valid request, and keep the server's only thread
 * busy for no more than a few hundredths of a second.
 */
import type { EndpointName } from '@dstack/contract/api';
import { type BodyLimits, JSON_LIMITS, type ListRule } from '@dstack/proxy';

const KIB = 1024;
const MIB = 1024 * KIB;

const ORDINARY: BodyLimits = { sent: MIB, kept: MIB, json: JSON_LIMITS };

/** Enough for more than a thousand hosts with all their settings. */
const LONG: ListRule = { kind: 'long', parts: 30_000 };

/** Clients send back the current resource; the server does not read its longest list. */
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
};

/** For unauthenticated callers, at the few endpoints that read their bodies. */
const STRANGER: BodyLimits = {
  sent: 64 * KIB,
  kept: 64 * KIB,
  json: { ...JSON_LIMITS, parts: 2000 },
};

export function bodyLimits(endpoint: EndpointName, isStranger: boolean): BodyLimits {
  return isStranger ? STRANGER : (LIMITS[endpoint] ?? ORDINARY);
}
