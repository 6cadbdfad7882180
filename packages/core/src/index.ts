export * from './model/index.ts';
export * from './reconcile/index.ts';
export * from './status/index.ts';
