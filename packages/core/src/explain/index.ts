export type { Diagnosis } from './diagnosis.ts';
export { examinedJobs } from './examined.ts';
export { type ExplainedFleet, explainFleet } from './explain-fleet.ts';
export { type ExplainedInstance, explainInstance } from './explain-instance.ts';
export { explainPlan } from './explain-plan.ts';
export { type ExplainedGateway, explainGateway, explainVolume } from './explain-resources.ts';
export { explainJob, explainRun } from './explain-run.ts';
export { gatewayUseText } from './gateway-use.ts';
export type {
  Answerable,
  BlockHolder,
  ExplainContext,
  ExplainedRun,
  NamedRun,
  QueuePlace,
  UpstreamRun,
  Viewer,
} from './input.ts';
export { withHostNames } from './served-names.ts';
