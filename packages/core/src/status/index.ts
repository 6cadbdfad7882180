/**
 * Everything about statuses for this package: the statuses of the contract, and the additions of
 * core.
 */
export * from '@dstack/contract/status';
export * from './own.ts';
