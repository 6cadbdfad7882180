/** Why a service with `autoscaling` has the number of replicas that it has. */
import { figureText, unknownText } from '../autoscaling/scaling-text.ts';
import type { RunPass } from '../reconcile/run/run-pass.ts';
import { type RuleView, ruleViews } from '../reconcile/service/autoscale.ts';
import { type ScaledGroup, scaledGroups } from '../reconcile/service/scaled-groups.ts';
import { type Reason, reason } from './diagnosis.ts';

/** One for each rule, and the last change of each group. */
export function scalingReasons(pass: RunPass): Reason[] {
  return scaledGroups(pass.run.spec)
    .filter(({ rules }) => rules.length > 0)
    .flatMap((group) => groupReasons(pass, group));
}

function groupReasons(pass: RunPass, group: ScaledGroup): Reason[] {
  const current = pass.run.desiredReplicas[group.name];
  if (current === undefined) return [];
  const { configuration } = pass.run.spec;
  const isOne = configuration.type === 'service' && configuration.groups === null;
  const part = isOne ? null : `group ${group.name}`;
  const views = ruleViews(pass, group, current);
  const last = pass.run.autoscaling?.[group.name]?.last ?? null;
  const past =
    last === null
      ? []
      : [
          reason('scaling', `was scaled from ${last.from} to ${last.to} replicas: ${last.why}`, {
            ...{ part, since: last.at, has: String(last.to) },
          }),
        ];
  return [...views.flatMap((view) => ruleReasons(view, current, part)), ...past];
}

function ruleReasons(view: RuleView, current: number, part: string | null): Reason[] {
  const { rule, figure, wanted, track, due } = view;
  const detail = { part, asked: String(rule.target), since: track?.since ?? null, until: due };
  if (figure.value === null) {
    if (figure.unknown === null) return [];
    const text = `${unknownText(rule, figure.unknown)}; there are still ${current} replicas`;
    return [reason('scaling', text, detail)];
  }
  const text = `${figureText(rule, figure.value)}, which requires ${wanted} of ${current} replicas`;
  return [reason('scaling', text, { ...detail, has: String(figure.value) })];
}
