export * from './job-spec/index.ts';
export * from './model/index.ts';
export * from './offers/index.ts';
export * from './placement/index.ts';
export * from './profile/index.ts';
export * from './reconcile/index.ts';
export * from './status/index.ts';
