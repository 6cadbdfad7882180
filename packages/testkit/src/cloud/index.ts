export type { CallOutcome } from './calls.ts';
export { type CloudClock, type ManualClock, manualClock, runningClock } from './clock.ts';
export type { CloudKnobs } from './faults.ts';
export type { VmHostOrder, VmHosts } from './hosts.ts';
export { type Cloud, type CloudOptions, startCloud } from './start-cloud.ts';
export type { Vm } from './vms.ts';
export { startYard, type Yard, yardMissing } from './yard/yard.ts';
