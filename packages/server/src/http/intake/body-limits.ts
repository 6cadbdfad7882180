/**
 * What a body may hold, per endpoint. The figures follow what is legal and what it costs: none of
 * them keeps the server's one thread busy for more than a few hundredths of a second.
 */
import type { EndpointName } from '@dstack/contract/api';
import type { JsonLimits } from './json-scan.ts';

export interface BodyLimits {
  /** Bytes that come in. */
  readonly sent: number;
  /** Bytes that are kept of them. */
  readonly kept: number;
  readonly json: JsonLimits;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** Requests have a dozen levels. */
const DEPTH = 100;

const ORDINARY: BodyLimits = {
  sent: MIB,
  kept: MIB,
  json: { depth: DEPTH, parts: 20_000, leaveOut: null },
};

/** Lists of thousands of hosts and members. */
const LONG_LISTS = 60_000;

/** Clients send back the resource that they have seen, of which nobody reads the largest part. */
function seenResource(list: string, parts: number): BodyLimits {
  const leaveOut = ['plan', 'current_resource', list];
  return { sent: 32 * MIB, kept: MIB, json: { depth: DEPTH, parts, leaveOut } };
}

const LIMITS: Partial<Record<EndpointName, BodyLimits>> = {
  'runs.apply': seenResource('jobs', ORDINARY.json.parts),
  'fleets.apply': seenResource('instances', LONG_LISTS),
  'fleets.get_plan': { ...ORDINARY, json: { ...ORDINARY.json, parts: LONG_LISTS } },
  'projects.set_members': { ...ORDINARY, json: { ...ORDINARY.json, parts: LONG_LISTS } },
  // Messages carry images as text.
  'proxy.chat_completions': { ...ORDINARY, sent: 16 * MIB, kept: 16 * MIB },
};

/** A stranger's body, where one is read at all. */
const STRANGER: BodyLimits = {
  sent: 64 * KIB,
  kept: 64 * KIB,
  json: { depth: DEPTH, parts: 2000, leaveOut: null },
};

export function bodyLimits(endpoint: EndpointName, isStranger: boolean): BodyLimits {
  return isStranger ? STRANGER : (LIMITS[endpoint] ?? ORDINARY);
}
