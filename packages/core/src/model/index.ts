export * from './changes.ts';
export * from './names.ts';
export * from './records.ts';
export * from './snapshots.ts';
