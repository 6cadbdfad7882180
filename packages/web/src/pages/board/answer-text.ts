import type { RunPlan } from '@dstack/contract/wire';
import { plural } from '../../domain/format/quantities.ts';
import { outlookText } from '../../domain/launch/outlook-text.ts';
import { planEffect } from '../../domain/launch/plan-state.ts';

/** Whether the run starts, and on what; or when and where it is expected to. */
export function planAnswer(plan: RunPlan): string {
  const effect = planEffect(plan);
  if (effect.kind === 'blocked') return effect.reason;
  if (effect.kind === 'update') return `The active run ${effect.name} is changed in place.`;
  const where = whereText(plan);
  const outlook = outlookText(plan);
  if (outlook !== null) return where === '' ? outlook : `${outlook} It would be ${where}.`;
  return where === '' ? 'It would start now.' : `It would start now, ${where}.`;
}

function whereText({ places = [], new_instances: made = 0, outlook }: RunPlan): string {
  const instances = new Set(places.map(({ instance_id }) => instance_id)).size;
  const isOne = instances === 1;
  const waits = `that ${isOne ? 'becomes' : 'become'} free then`;
  const state = outlook === 'waits' ? waits : `that ${isOne ? 'is' : 'are'} free`;
  return [
    instances === 0 ? '' : `on ${plural(instances, 'instance')} ${state}`,
    made === 0 ? '' : `on ${plural(made, 'new instance')}`,
  ]
    .filter(Boolean)
    .join(' and ');
}
