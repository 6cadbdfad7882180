/** The number of replicas of a group with `autoscaling`. */
import type { AutoscalingRule } from '@dstack/contract/wire';
import {
  type Figure,
  figureOf,
  type Measured,
  QUERY_INTERVAL,
  windowOf,
} from '../../autoscaling/figures.ts';
import { type GroupSize, requiredReplicas } from '../../autoscaling/recommendation.ts';
import { delayText, figureText } from '../../autoscaling/scaling-text.ts';
import { type Stabilised, stabilise } from '../../autoscaling/stabilise.ts';
import { sameJson } from '../../compare/same.ts';
import { runTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import type { GroupScaling } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import type { RunPass } from '../run/run-pass.ts';
import { isMeasured } from './measured-window.ts';
import { isReplicaAlive, replicasOf, takesRequests } from './replicas.ts';
import type { ScaledGroup } from './scaled-groups.ts';
import { trafficShare } from './traffic-share.ts';

/** While there is something to measure, it is examined this many times within a window. */
const LOOKS_PER_WINDOW = 12;

/** A service counts as used for at least so many seconds after a request. */
const LEAST_USED_WINDOW = 60;

const NEW: GroupScaling = { tracks: [], last: null };

/** One rule's view of its group. */
export interface RuleView extends Stabilised {
  readonly rule: AutoscalingRule;
  readonly figure: Figure;
  readonly wanted: number;
}

/** Returns the desired number; `current` unless a rule has required another one for long enough. */
export function autoscale(pass: RunPass, group: ScaledGroup, current: number): number {
  const views = ruleViews(pass, group, current);
  const before = pass.run.autoscaling?.[group.name] ?? NEW;
  const wanted = Math.min(Math.max(...views.map(({ count }) => count), group.min), group.max);
  const to = wanted < current && !isMeasured(pass, measuredSeconds(group)) ? current : wanted;
  for (const { due } of views) if (due !== null) pass.draft.dueAt(due);
  lookAgain(pass, group);
  const decisive = views.find(({ count }) => count === to) ?? views[0];
  const last =
    to === current || decisive === undefined
      ? before.last
      : { at: pass.now, from: current, to, why: whyText(decisive, current) };
  store(pass, group, { tracks: views.map(({ track }) => track), last });
  if (last !== null && to !== current) announce(pass, group, last);
  return to;
}

export function ruleViews(pass: RunPass, group: ScaledGroup, current: number): RuleView[] {
  const measured = measuredOf(pass, group);
  const { tracks, last } = pass.run.autoscaling?.[group.name] ?? NEW;
  const ready = readyReplicas(pass, group).length;
  return group.rules.map((rule, index) => {
    const figure = figureOf(rule, measured);
    const size: GroupSize = {
      ...{ current, ready, min: group.min, max: group.max, isUsed: isUsed(pass, group) },
      isSettling: last !== null && pass.now < last.at + windowOf(rule) * SECOND,
    };
    const wanted = requiredReplicas(rule, figure.value, size);
    const delays = { upDelay: rule.scale_up_delay, downDelay: rule.scale_down_delay };
    const requirement = { current, wanted, now: pass.now, ...delays };
    return { rule, figure, wanted, ...stabilise(tracks[index] ?? null, requirement) };
  });
}

function measuredOf(pass: RunPass, group: ScaledGroup): Measured {
  const { requests, load, gpuSamples } = pass.snapshot;
  const jobs = readyReplicas(pass, group).flatMap(({ jobs }) => jobs);
  return {
    share: trafficShare(pass, group.name),
    requests: requests ?? {},
    load: load ?? { busySeconds: {}, latencies: {}, queries: {} },
    gpu: jobs.map(({ id }) => gpuSamples[id] ?? []),
    now: pass.now,
  };
}

function readyReplicas(pass: RunPass, group: ScaledGroup) {
  return replicasOf(pass.latest).filter(
    (replica) => replica.group === group.name && isReplicaAlive(replica) && takesRequests(replica),
  );
}

function isUsed(pass: RunPass, group: ScaledGroup): boolean {
  const { requests, load } = pass.snapshot;
  const windows = group.rules.filter(({ metric }) => metric !== 'prometheus').map(windowOf);
  const window = Math.max(LEAST_USED_WINDOW, ...windows);
  return (requests?.[window] ?? 0) > 0 || (load?.busySeconds[window] ?? 0) > 0;
}

/** Requests signal the run only when they begin; other figures change by themselves. */
function lookAgain(pass: RunPass, group: ScaledGroup): void {
  const isWatched = group.rules.some(({ metric }) => metric === 'gpu' || metric === 'prometheus');
  if (!isWatched && !isUsed(pass, group)) return;
  const seconds = group.rules.map((rule) =>
    rule.metric === 'prometheus' ? QUERY_INTERVAL : windowOf(rule) / LOOKS_PER_WINDOW,
  );
  pass.draft.dueAt(pass.now + Math.min(...seconds) * SECOND);
}

/** After so many seconds the rules of a group know the demand, and have waited before they take replicas away. */
function measuredSeconds({ rules }: ScaledGroup): number {
  return Math.max(...rules.map((rule) => windowOf(rule) + rule.scale_down_delay));
}

function whyText({ rule, figure, track }: RuleView, current: number): string {
  if (figure.value === null) return 'there was no request';
  const text = figureText(rule, figure.value);
  if (current === 0 || track === null) return text;
  const delay = track.direction === 'up' ? rule.scale_up_delay : rule.scale_down_delay;
  return delay === 0 ? text : `${text}, ${delayText(delay)}`;
}

function store(pass: RunPass, group: ScaledGroup, scaling: GroupScaling): void {
  const before = pass.run.autoscaling ?? {};
  if (sameJson(before[group.name], scaling)) return;
  pass.setRun({ autoscaling: { ...before, [group.name]: scaling } });
}

function announce(
  pass: RunPass,
  { name }: ScaledGroup,
  { from, to, why }: NonNullable<GroupScaling['last']>,
): void {
  const group = pass.run.spec.configuration;
  const hasGroups = group.type === 'service' && group.groups !== null;
  const data = { group: hasGroups ? name : null, from, to, why };
  pass.draft.event(recordEvent({ action: 'run.scaled', data, targets: [runTarget(pass.run)] }));
}
