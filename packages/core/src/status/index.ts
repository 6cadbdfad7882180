/** All about statuses in one place for this package: those of the contract, and what core adds. */
export * from '@dstack/contract/status';
export * from './own.ts';
