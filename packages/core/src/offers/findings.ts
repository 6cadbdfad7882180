/** The rules that an offer or instance fails for a job, with requested and present values. */
import {
  formatGpu,
  formatInstanceGpus,
  formatMebibytes,
  formatMemoryRange,
  formatRange,
} from '@dstack/contract';
import type { Finding, Requirements, Rule } from '@dstack/contract/wire';
import { configuredBackendName } from '../capabilities/capabilities.ts';
import type { DecisionContext, InstanceRecord, Offer } from '../model/index.ts';
import {
  hasHostFault,
  isCordoned,
  isFailing,
  isInstanceActive,
  isInstanceAvailable,
  RECONNECT_LIMIT,
  schedulingText,
} from '../status/index.ts';
import { silenceDeadline } from '../time/silence.ts';
import type { JobNeeds } from './job-needs.ts';
import { localRefusal } from './local-limits.ts';
import { allMismatches, type RequirementName } from './match.ts';
import { type Location, type NeedName, unmetLocations, unmetNeed } from './needs.ts';
import { slurmRefusal } from './slurm-limits.ts';

interface Detail {
  readonly asked?: string | null;
  readonly has?: string | null;
  readonly count?: number | null;
  readonly property?: string | null;
}

export function finding(rule: Rule, detail: Detail = {}): Finding {
  return { rule, asked: null, has: null, count: null, property: null, ...detail };
}

/** The requirements of a job on its instance. */
export interface OfferQuery {
  readonly requirements: Requirements;
  readonly profile: Location;
  readonly needs: JobNeeds;
}

/** Texts for what the server host lacks to meet a need, by `LocalRefusal.without`. */
export const LOCAL_LACKS = {
  trusted: 'DSTACK_LOCAL_TRUSTED is not set on the server',
  mounts: 'the server may not make mounts',
  loopback: 'DSTACK_SERVER_OUTGOING_ALLOW of the server does not allow loopback',
};

/** Why an offer can never take the job; empty if it can. */
export function offerFindings(query: OfferQuery, offer: Offer): Finding[] {
  return [
    ...placeFindings(query, offer),
    ...allMismatches(query.requirements, offer).map((rule) =>
      requirementFinding(rule, query.requirements, offer),
    ),
  ];
}

/** The location and kind of machine only, regardless of its size. */
export function placeFindings(query: OfferQuery, offer: Offer): Finding[] {
  const unmet = unmetNeed(query.needs, offer);
  return [
    ...unmetLocations(query.profile, offer).map((rule) =>
      locationFinding(rule, query.profile, offer),
    ),
    ...(unmet === null ? [] : [needFinding(unmet, query.needs, offer)]),
  ];
}

function needFinding(unmet: NeedName, needs: JobNeeds, offer: Offer): Finding {
  const slurm = slurmRefusal(needs, offer);
  if (slurm?.need === unmet) return finding(unmet, { asked: slurm.asked, has: slurm.has });
  const refusal = localRefusal(needs, offer);
  return finding(unmet, { has: refusal && LOCAL_LACKS[refusal.without] });
}

/** The time of a decision, and the last jump of the clock before it. */
export type DecisionMoment = Pick<DecisionContext, 'now' | 'unobserved'>;

/** The state that keeps a suitable instance from taking a job now; null if none does. */
export function stateFinding(instance: InstanceRecord, ctx: DecisionMoment): Finding | null {
  const rule = stateRule(instance, ctx);
  return rule && finding(rule, { has: stateDetail(rule, instance) });
}

function stateDetail(rule: Rule, { scheduling, healthMessage }: InstanceRecord): string | null {
  if (rule === 'cordoned') return scheduling && schedulingText(scheduling);
  return rule === 'unhealthy' || rule === 'host_fault' ? healthMessage : null;
}

function stateRule(instance: InstanceRecord, ctx: DecisionMoment): Rule | null {
  if (instance.deleted || !isInstanceActive(instance.status)) return 'ending';
  if (isCordoned(instance)) return 'cordoned';
  if (instance.offer === null || instance.totalBlocks === null) return 'not_ready';
  if (instance.unreachable) return isReconnecting(instance, ctx) ? 'reconnecting' : 'unreachable';
  if (hasHostFault(instance)) return 'host_fault';
  if (isFailing(instance.health)) return 'unhealthy';
  return isInstanceAvailable(instance.status) ? null : 'not_ready';
}

function isReconnecting({ unreachableSince }: InstanceRecord, ctx: DecisionMoment): boolean {
  if (unreachableSince === null) return false;
  return ctx.now < silenceDeadline(ctx, unreachableSince, RECONNECT_LIMIT);
}

function requirementFinding(
  rule: RequirementName,
  { resources, max_price, spot }: Requirements,
  { price, instance: { resources: machine } }: Offer,
): Finding {
  switch (rule) {
    case 'max_price':
      return finding(rule, { asked: dollars(max_price ?? 0), has: dollars(price) });
    case 'spot':
      return finding(rule, { asked: spotWord(spot === true), has: spotWord(machine.spot) });
    case 'cpu.arch':
      return finding(rule, { asked: resources.cpu.arch, has: machine.cpu_arch ?? null });
    case 'cpu':
      return finding(rule, { asked: formatRange(resources.cpu.count), has: String(machine.cpus) });
    case 'memory':
      return finding(rule, {
        asked: formatMemoryRange(resources.memory),
        has: formatMebibytes(machine.memory_mib),
      });
    case 'disk':
      return finding(rule, {
        asked: resources.disk && formatMemoryRange(resources.disk.size),
        has: formatMebibytes(machine.disk?.size_mib ?? 0),
      });
    case 'gpu':
      return finding(rule, {
        asked: resources.gpu && formatGpu(resources.gpu),
        has: formatInstanceGpus(machine.gpus) || 'none',
      });
  }
}

function locationFinding(rule: keyof Location, location: Location, offer: Offer): Finding {
  const has: Readonly<Record<keyof Location, string | null>> = {
    backends: configuredBackendName(offer.backend),
    regions: offer.region,
    instance_types: offer.instance.name,
    availability_zones: (offer.availability_zones ?? []).join(', ') || null,
  };
  return finding(rule, { asked: (location[rule] ?? []).join(', '), has: has[rule] });
}

const spotWord = (spot: boolean): string => (spot ? 'spot' : 'on-demand');

/** A price per hour, with two to four decimals. */
export function dollars(price: number): string {
  return `$${price.toFixed(4).replace(/0{1,2}$/, '')}`;
}

/** Merges the findings of many machines: one per rule, counted, with the values of the first. */
export function summarize(findings: readonly Finding[]): Finding[] {
  const byRule = new Map<Rule, Finding>();
  for (const one of findings) {
    const known = byRule.get(one.rule);
    const count = one.count ?? 1;
    byRule.set(
      one.rule,
      known ? { ...known, count: (known.count ?? 1) + count } : { ...one, count },
    );
  }
  return [...byRule.values()];
}
