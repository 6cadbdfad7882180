export * from './changes.ts';
export * from './groups.ts';
export * from './names.ts';
export * from './records.ts';
export * from './resources.ts';
export * from './snapshots.ts';
export * from './volumes.ts';
