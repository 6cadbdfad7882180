/** Explains a fleet: its instances, and why it has no more or fewer. */
import type { Fix } from '@dstack/contract/wire';
import { nodesOf } from '../instances/fleet-match.ts';
import { fleetWindow, windowText } from '../maintenance/index.ts';
import type { FleetRecord, FleetSnapshot, HostRecord, Id, InstanceRecord } from '../model/index.ts';
import {
  consolidationDelay,
  isFailing,
  isFleetActive,
  isFleetTerminating,
  isInstanceActive,
  isInstanceTerminated,
  MAX_CONSOLIDATION_ATTEMPTS,
} from '../status/index.ts';
import { applyCommand } from './commands.ts';
import { type Diagnosis, diagnosisOf, fix, type Part, type Reason, reason } from './diagnosis.ts';
import { assessInstance, endReason } from './explain-instance.ts';
import type { BlockHolder, ExplainContext } from './input.ts';
import { atText, listText } from './texts.ts';

export interface ExplainedFleet {
  readonly fleet: FleetSnapshot;
  readonly holders: readonly BlockHolder[];
  readonly hosts: readonly HostRecord[];
  readonly projectNames: Readonly<Record<Id, string>>;
}

/** The most instances in `parts`. */
const PARTS = 100;

/** The most reasons in the summary; `reasons` has the others. */
const TOLD = 5;

export function explainFleet(input: ExplainedFleet, ctx: ExplainContext): Diagnosis {
  const { fleet, instances } = input.fleet;
  const present = instances.filter((one) => !one.deleted);
  const parts = present.slice(0, PARTS).map((one) => instancePart(input, one, ctx));
  if (isFleetTerminating(fleet.status)) return endingFleet(input, parts);
  if (!isFleetActive(fleet.status)) {
    const text = `Fleet ${fleet.name} is ${fleet.status}.`;
    return diagnosisOf({ state: 'ended', waits: false, summary: text, reasons: [] }, { parts });
  }
  const reasons = [
    ...maintenanceReasons(fleet, ctx),
    ...smallReasons(input, ctx),
    ...failedReasons(present),
    ...troubledReasons(present, parts),
  ];
  const texts = reasons.slice(0, TOLD).map((one) => one.text);
  const more = reasons.length - texts.length;
  const rest = more > 0 ? [`${more} more problems`] : [];
  const summary = `Fleet ${fleet.name} ${[countText(input), ...texts, ...rest, ...plannedText(fleet, ctx)].join('; ')}.`;
  const state = reasons.length === 0 ? 'active' : 'degraded';
  const assessment = { state, waits: reasons.length > 0, summary, reasons } as const;
  return diagnosisOf(assessment, { parts, fixes: fleetFixesOf(input, reasons) });
}

function instancePart(input: ExplainedFleet, instance: InstanceRecord, ctx: ExplainContext): Part {
  const { fleet, instances } = input.fleet;
  const assessment = assessInstance(
    {
      instance: {
        ...{ instance, fleet, jobs: [], intents: [], health: null, observation: null, group: null },
        host: input.hosts.find((host) => host.id === instance.hostId) ?? null,
        activeInFleet: instances.filter((one) => isInstanceActive(one.status)).length,
        local: null,
      },
      holders: input.holders.filter((one) => one.instanceId === instance.id),
      projectNames: input.projectNames,
    },
    ctx,
  );
  const [first] = assessment.reasons;
  const { rule = null, since = null, until = null, attempt = null } = first ?? {};
  const { name, status } = instance;
  return {
    kind: 'instance',
    name,
    status,
    state: assessment.state,
    rule,
    since,
    until,
    attempt,
    text: assessment.summary,
  };
}

/** `has 2 instances (nodes: 0..4): 1 busy, 1 idle`. */
function countText({ fleet: { fleet, instances } }: ExplainedFleet): string {
  const active = instances.filter((one) => isInstanceActive(one.status));
  const nodes = nodesOf(fleet);
  const size = nodes ? ` (\`nodes: ${nodes.min}..${nodes.max ?? ''}\`)` : '';
  const counts = new Map<string, number>();
  for (const one of active) {
    const word = one.unreachable ? 'unreachable' : one.status;
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const detail = [...counts].map(([word, count]) => `${count} ${word}`).join(', ');
  const what = active.length === 1 ? '1 instance' : `${active.length} instances`;
  return `has ${what}${size}${detail === '' ? '' : `: ${detail}`}`;
}

/** A window for which its jobs leave, or that is on. */
function maintenanceReasons(fleet: FleetRecord, { now }: ExplainContext): Reason[] {
  const window = fleetWindow(fleet, now);
  if (window === null || window.state === 'planned') return [];
  const { startsAt, endsAt, leavingAt } = window;
  const detail = { has: windowText(window), since: leavingAt };
  if (window.state === 'on') {
    const text = `is in maintenance ${windowText(window)}: nothing is placed on it`;
    return [reason('maintenance', text, { ...detail, until: endsAt })];
  }
  const text = `is in maintenance ${windowText(window)}: its jobs leave before, and none begin that may take longer`;
  return [reason('maintenance', text, { ...detail, until: startsAt })];
}

function plannedText(fleet: FleetRecord, { now }: ExplainContext): string[] {
  const window = fleetWindow(fleet, now);
  return window?.state === 'planned' ? [`its next maintenance is ${windowText(window)}`] : [];
}

/** Fewer instances than `nodes.min`: when the fleet tries again, or why not. */
function smallReasons(
  { fleet: { fleet, instances } }: ExplainedFleet,
  { now }: ExplainContext,
): Reason[] {
  const min = nodesOf(fleet)?.min ?? 0;
  const active = instances.filter((one) => isInstanceActive(one.status)).length;
  if (active >= min) return [];
  const made = fleet.consolidationAttempt;
  const detail = { asked: String(min), has: String(active) };
  const since = fleet.lastConsolidatedAt === 0 ? null : fleet.lastConsolidatedAt;
  if (made >= MAX_CONSOLIDATION_ATTEMPTS) {
    const text = `lacks ${min - active} of \`nodes.min\`, and no more are created after ${MAX_CONSOLIDATION_ATTEMPTS} attempts`;
    return [reason('consolidation', text, { ...detail, since, attempt: made })];
  }
  const from = fleet.lastConsolidatedAt ?? fleet.createdAt;
  const until = from + consolidationDelay(made);
  const attempt = made + 1;
  const next = `attempt ${attempt} to create them begins ${atText(until, now)}`;
  const text = `lacks ${min - active} of \`nodes.min\`; ${next}`;
  return [reason('nodes.min', text, { ...detail, since, until, attempt })];
}

/** Why its last instances failed, each message once. */
function failedReasons(instances: readonly InstanceRecord[]): Reason[] {
  const failed = instances.filter((one) => isInstanceTerminated(one.status));
  const byText = new Map<string, InstanceRecord[]>();
  for (const one of failed)
    byText.set(endReason(one), [...(byText.get(endReason(one)) ?? []), one]);
  return [...byText].map(([why, own]) => {
    const names = listText(own.map((one) => one.name));
    const since = Math.max(...own.map((one) => one.finishedAt ?? one.createdAt));
    const has = own[0]?.terminationReason ?? null;
    const detail = { since, count: own.length, has, part: own.length === 1 ? names : null };
    return reason('creation_failed', `${names} failed: ${why}`, detail);
  });
}

function troubledReasons(instances: readonly InstanceRecord[], parts: readonly Part[]): Reason[] {
  const troubled = instances.filter((one) => one.unreachable || isFailing(one.health));
  return troubled
    .filter((one) => isInstanceActive(one.status))
    .flatMap((one) => {
      const part = parts.find((candidate) => candidate.name === one.name);
      if (!part || part.rule === null) return [];
      const { since, until } = part;
      const detail = {
        part: one.name,
        since,
        until,
        has: one.unreachable ? one.terminationMessage : one.healthMessage,
      };
      return [reason(part.rule, `${one.name} ${part.text}`, detail)];
    });
}

function endingFleet({ fleet }: ExplainedFleet, parts: readonly Part[]): Diagnosis {
  const { activeRuns } = fleet;
  const left = fleet.instances.filter((one) => !one.deleted).length;
  const waits = [
    ...(activeRuns > 0 ? [`${activeRuns === 1 ? '1 run' : `${activeRuns} runs`} to end`] : []),
    ...(left > 0 ? [`${left === 1 ? '1 instance' : `${left} instances`} to be terminated`] : []),
  ];
  const text = `is being deleted${waits.length === 0 ? '' : `, and waits for ${waits.join(' and ')}`}`;
  const reasons = [
    reason(activeRuns > 0 ? 'in_use' : 'terminating', text, { count: activeRuns || left }),
  ];
  const summary = `Fleet ${fleet.fleet.name} ${text}.`;
  return diagnosisOf({ state: 'stopping', waits: true, summary, reasons }, { parts });
}

function fleetFixesOf({ fleet: { fleet } }: ExplainedFleet, reasons: readonly Reason[]): Fix[] {
  const command = applyCommand(fleet);
  const rules = new Set(reasons.map((one) => one.rule));
  const fixes: Fix[] = [];
  if (rules.has('consolidation')) {
    const text =
      'Remove the cause of the failures, then change and apply the fleet: this starts the attempts again';
    fixes.push(fix(text, { command }));
  }
  if (rules.has('creation_failed') && fleet.spec.configuration.ssh_config) {
    fixes.push(fix('Repair the host, then apply the fleet again', { command }));
  }
  for (const one of reasons.filter((each) => each.rule === 'unreachable').slice(0, 3)) {
    fixes.push(
      fix(`See why ${one.part} is unreachable`, { command: `dstack explain instance ${one.part}` }),
    );
  }
  return fixes;
}
