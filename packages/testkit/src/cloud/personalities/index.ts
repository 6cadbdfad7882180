import type { Personality } from '../personality.ts';
import { LAMBDA } from './lambda/lambda.ts';

/** By the name of the backend's type. */
export const PERSONALITIES = {
  lambda: LAMBDA,
} as const satisfies Readonly<Record<string, Personality>>;

export type PersonalityName = keyof typeof PERSONALITIES;
