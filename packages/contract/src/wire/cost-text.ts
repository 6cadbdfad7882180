/** Costs as texts. A cost that is not known is never shown as $0. */
import type { CostReport, CostRow } from './cost.ts';

/**
 * `unknown` where no price was known, `$5 + unknown` where there was none for a part of the time. `amount`: the text of an amount
 * in USD.
 */
export function costText(
  cost: number | null,
  isPartial: boolean,
  amount: (dollars: number) => string,
): string {
  if (cost === null || (cost === 0 && isPartial)) return 'unknown';
  return isPartial ? `${amount(cost)} + unknown` : amount(cost);
}

/** Whether a part of the cost is not known. */
export const isPartialCost = ({ cost, unpriced_hours: hours }: PricedRow): boolean =>
  // Servers of an older version do not report the hours.
  cost === null || (hours ?? 0) > 0;

type PricedRow = Pick<CostRow, 'cost'> & Partial<Pick<CostRow, 'unpriced_hours'>>;

/** The cost of all rows of a report. */
export function totalCostText(
  { total, rows }: Pick<CostReport, 'total'> & { readonly rows: readonly CostRow[] },
  amount: (dollars: number) => string,
): string {
  return costText(total, rows.some(isPartialCost), amount);
}
