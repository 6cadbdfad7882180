/** Finds the setting of the run that the user has to correct when `sbatch` refuses a job. */
import type { SlurmSettings } from '@dstack/contract';

/** The first pattern that matches decides. */
const REFUSALS: readonly (readonly [RegExp, keyof SlurmSettings])[] = [
  [/invalid account/i, 'account'],
  [/invalid (?:qos|quality of service)/i, 'qos'],
  [/invalid partition/i, 'partition'],
  [/invalid (?:feature|constraint)/i, 'constraint'],
  [/reservation/i, 'reservation'],
  [/invalid (?:--time|time limit)|time limit specification/i, 'time_limit'],
  [/\binvalid\b|unrecognized option/i, 'options'],
];

/**
 * The setting; null = another node may take the job. Without a partition of its own, a job goes to those
 * of its node, and accounts are for partitions.
 */
export function refusedSetting(
  output: string,
  settings: SlurmSettings | null,
): keyof SlurmSettings | null {
  const [, setting = null] = REFUSALS.find(([pattern]) => pattern.test(output)) ?? [];
  if (setting === null || settings === null) return null;
  if (setting === 'account' && !settings.partition) return null;
  const value = settings[setting];
  const isSet = typeof value === 'object' ? Object.keys(value ?? {}).length > 0 : Boolean(value);
  return isSet ? setting : null;
}
