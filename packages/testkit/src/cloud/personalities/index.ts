import type { Personality } from '../personality.ts';
import { AMDDEVCLOUD, DIGITALOCEAN } from './digitalocean/digitalocean.ts';
import { LAMBDA } from './lambda/lambda.ts';

/** By the name of the backend's type. */
export const PERSONALITIES = {
  amddevcloud: AMDDEVCLOUD,
  digitalocean: DIGITALOCEAN,
  lambda: LAMBDA,
} as const satisfies Readonly<Record<string, Personality>>;

export type PersonalityName = keyof typeof PERSONALITIES;
