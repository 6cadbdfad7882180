/** Every status: its names, its predicates and the table of its transitions. Without schemas. */
export * from './attachment-status.ts';
export * from './fleet-status.ts';
export * from './gateway-status.ts';
export * from './group-status.ts';
export * from './health-status.ts';
export * from './instance-status.ts';
export * from './job-status.ts';
export * from './rollout-status.ts';
export * from './run-status.ts';
export * from './transitions.ts';
export * from './volume-status.ts';
