import type { Personality } from '../personality.ts';
import { AWS } from './aws/aws.ts';
import { CRUSOE } from './crusoe/crusoe.ts';
import { AMDDEVCLOUD, DIGITALOCEAN } from './digitalocean/digitalocean.ts';
import { GCP } from './gcp/gcp.ts';
import { HOTAISLE } from './hotaisle/hotaisle.ts';
import { LAMBDA } from './lambda/lambda.ts';
import { RUNPOD } from './runpod/runpod.ts';
import { VASTAI } from './vastai/vastai.ts';
import { VERDA } from './verda/verda.ts';
import { VULTR } from './vultr/vultr.ts';

/** By the name of the backend's type. */
export const PERSONALITIES = {
  amddevcloud: AMDDEVCLOUD,
  aws: AWS,
  crusoe: CRUSOE,
  digitalocean: DIGITALOCEAN,
  gcp: GCP,
  hotaisle: HOTAISLE,
  lambda: LAMBDA,
  runpod: RUNPOD,
  vastai: VASTAI,
  verda: VERDA,
  vultr: VULTR,
} as const satisfies Readonly<Record<string, Personality>>;

export type PersonalityName = keyof typeof PERSONALITIES;
