import { isRunFinished } from '@dstack/contract/status';
import type { RunPlan } from '@dstack/contract/wire';

/** The effect that submitting the configuration would have. */
export type PlanEffect =
  | { readonly kind: 'create' }
  | { readonly kind: 'replace'; readonly name: string }
  | { readonly kind: 'update'; readonly name: string }
  | { readonly kind: 'blocked'; readonly name: string; readonly reason: string };

export function planEffect({ action, current_resource: current }: RunPlan): PlanEffect {
  if (current === null) return { kind: 'create' };
  const name = current.run_spec.run_name ?? '';
  if (isRunFinished(current.status)) return { kind: 'replace', name };
  if (action === 'update') return { kind: 'update', name };
  const reason = `Run ${name} is active and cannot be changed in place. Stop it, or choose another name.`;
  return { kind: 'blocked', name, reason };
}
