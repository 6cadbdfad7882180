/** Keeps the totals of an nginx that ends while its services go on. */
import {
  type Control,
  forgetTotals,
  lastTotals,
  type ProcessFigures,
  type PushedService,
} from '@dstack/proxy';
import type { Logger } from '../../process/logging.ts';

export interface KeptTotalsOptions {
  readonly control: Control;
  readonly services: () => Promise<readonly PushedService[]>;
  readonly figures: Pick<ProcessFigures<object>, 'put' | 'ended'>;
  readonly log: Logger;
}

/** For requests under way: workers answer all others meanwhile. */
const PATIENCE_MS = 8000;

/** Never rejects: without its totals nginx has to end all the same. */
export async function keepTotals(options: KeptTotalsOptions): Promise<void> {
  const { control, figures, log } = options;
  try {
    const services = await options.services();
    const totals = await lastTotals(control, services, PATIENCE_MS);
    const nginx = {};
    figures.put(nginx, totals);
    figures.ended(nginx);
    await forgetTotals(control, services);
  } catch (error) {
    log.warn({ err: error }, 'requests that nginx has counted were not kept');
  }
}
