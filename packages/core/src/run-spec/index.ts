export {
  arrayOf,
  directiveOf,
  indexesOf,
  isUnborn,
  memberId,
  memberRun,
  memberSpec,
} from './array-member.ts';
export {
  changedRunFields,
  diffRunSpecs,
  type RunSpecDiff,
  runPlanAction,
  sameRunSpec,
  withStoredKeys,
} from './diff.ts';
export {
  fillGroupAddresses,
  type GroupMember,
  unescapeReferences,
} from './group-references.ts';
export {
  DEFAULT_RUN_SPEC_SETTINGS,
  prepareRunSpec,
  type RunSpecContext,
  type RunSpecSettings,
} from './prepare.ts';
export type { PreparedFleetSpec, PreparedRunSpec, SpecError } from './result.ts';
export { routerGroup } from './router-group.ts';
export { initialReplicas, replicaGroups } from './size-of.ts';
