import type { StoreContext } from '../context/context.ts';
import { ledgerReport } from './report.ts';
import type { Ledger } from './types.ts';

export function createLedger(context: StoreContext): Ledger {
  return { report: (question) => ledgerReport(context, question) };
}
