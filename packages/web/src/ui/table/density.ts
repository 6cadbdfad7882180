import { useSavedChoice } from '../saved-choice.ts';

export const DENSITIES = [
  ['comfortable', 'Comfortable'],
  ['compact', 'Compact'],
] as const;

export type Density = (typeof DENSITIES)[number][0];

/** Heights of rows in px; the styles have the same ones. */
export const ROW_HEIGHTS: Readonly<Record<Density, number>> = { comfortable: 40, compact: 30 };

/** How close the rows of all lists are. */
export function useDensity() {
  return useSavedChoice('dstack-density', parseDensity);
}

export function parseDensity(saved: unknown): Density {
  return saved === 'compact' ? 'compact' : 'comfortable';
}
