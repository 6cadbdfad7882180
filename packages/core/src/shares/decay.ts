/** Usage that is forgotten over time. */
import type { ShareState } from '../model/index.ts';

const HOUR = 3600;
const MICRO = 1_000_000;

/**
 * Usage `seconds` after it was `usage`, if claims of this rate lasted all the time: half of what was used is forgotten
 * in each half-life. So the value of a moment is stored with that moment, and nothing has to count it down. A moment
 * that lies ahead, by a clock that was wrong, changes nothing.
 */
export function usageAfter(
  { usage, rate }: Pick<ShareState, 'usage' | 'rate'>,
  seconds: number,
  halfLife: number,
): number {
  const passed = Math.max(0, seconds);
  const exponent = (passed / halfLife) * Math.LN2;
  const left = Math.max(0, usage) * Math.exp(-exponent);
  const gpus = Math.max(0, rate) / MICRO;
  // 1 − 2^(−t/h), exact also for moments.
  return left + gpus * (halfLife / HOUR / Math.LN2) * -Math.expm1(-exponent);
}
