/** All about statuses for this package: the statuses of the contract, and what core adds. */
export * from '@dstack/contract/status';
export * from './own.ts';
