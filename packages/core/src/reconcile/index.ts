export * from './events.ts';
export { reconcileRun } from './reconcile-run.ts';
export type { RunContext } from './run-pass.ts';
export { runtimeDataFor } from './runtime-data.ts';
