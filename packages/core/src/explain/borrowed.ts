/** Why a run that has its places may have to leave them again. */

import { Lenders } from '../placement/reclaim/lenders.ts';
import { termsAmounts } from '../quotas/amounts.ts';
import { claimsOn, placedGangs } from '../quotas/claims.ts';
import { Guarantees } from '../quotas/guarantees.ts';
import { type Reason, reason } from './diagnosis.ts';
import type { RunDiagnosis } from './run-diagnosis.ts';
import { listText } from './texts.ts';

/** Empty: no other project is guaranteed what it uses, or its own project is. */
export function borrowedReasons({ pass, world }: RunDiagnosis): Reason[] {
  const { claims = [], quotas = [], instances } = world.snapshot;
  const { id, projectId } = pass.run;
  const owed = quotas
    .filter(({ quota }) => quota.projectId !== projectId)
    .flatMap(({ quota }) => Object.keys(termsAmounts(quota.guaranteed)));
  if (claims.length === 0 || owed.length === 0) return [];
  const known = claimsOn(claims, instances);
  const gangs = placedGangs(known);
  const guarantees = new Guarantees(quotas, known);
  const lenders = new Lenders({
    gangs,
    guaranteesOf: (project) => guarantees.ofProject(project),
    weightOf: (project) => guarantees.weightOf(project),
  });
  const borrowed = [...new Set(owed)].filter((resource) =>
    gangs.some((one) => one.runId === id && lenders.isBorrowed(one, [], [resource])),
  );
  if (borrowed.length === 0) return [];
  const text = `uses more than its project is guaranteed (${listText(borrowed)}): it may have to leave for runs of projects that are guaranteed it`;
  return [reason('borrowed', text, { has: borrowed.join(', ') })];
}
