export { usageAfter } from './decay.ts';
export { type ShareHolder, ShareLedger } from './share-ledger.ts';
export { isShared, ShareWeights } from './weights.ts';
