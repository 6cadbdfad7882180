/** Faults of a simulated provider with an API: those of the backend `sim`, by the same names, and more. */
import { NO_FAULTS, type SimFaults, SimKnobs, simFaultsOf } from '@dstack/contract';

/** Times in seconds, probabilities between 0 and 1. All of them may change while it runs. */
export interface CloudFaults extends SimFaults {
  /** The connection ends before the request takes effect. */
  readonly lostRequest: number;
  /** Every request is refused for this reason. */
  readonly refuse: 'credentials' | 'permission' | 'balance' | null;
  /** Answers of the kind 429 lack the headers that announce when to come back. */
  readonly bareRateLimit: boolean;
  /** A machine that was ended is still there, and charged, for this long. */
  readonly deleteSeconds: number;
  /** A machine cannot be ended while it boots. */
  readonly deleteNeedsReady: boolean;
  /** The machine is reported as ready, and its sshd never answers. */
  readonly noSsh: number;
  /** A new machine gets the address that was released last, instead of the one released first. */
  readonly reuseAddress: boolean;
}

/** In the control file; what is left out has no fault. */
export interface CloudKnobs extends Partial<SimKnobs> {
  readonly lost_request?: number;
  readonly refuse?: CloudFaults['refuse'];
  readonly bare_rate_limit?: boolean;
  readonly delete_seconds?: number;
  readonly delete_needs_ready?: boolean;
  readonly no_ssh?: number;
  readonly reuse_address?: boolean;
}

export const NO_CLOUD_FAULTS: CloudFaults = {
  ...NO_FAULTS,
  lostRequest: 0,
  refuse: null,
  bareRateLimit: false,
  deleteSeconds: 0,
  deleteNeedsReady: false,
  noSsh: 0,
  reuseAddress: false,
};

/** Throws if a knob is unknown or has a value that is not possible. */
export function cloudFaultsOf(knobs: CloudKnobs): CloudFaults {
  const {
    lost_request = 0,
    refuse = null,
    bare_rate_limit = false,
    delete_seconds = 0,
    delete_needs_ready = false,
    no_ssh = 0,
    reuse_address = false,
    ...shared
  } = knobs;
  const parsed = SimKnobs.safeParse(shared);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`faults: ${issue?.path.join('.')}: ${issue?.message ?? 'not understood'}`);
  }
  return {
    ...simFaultsOf(parsed.data),
    lostRequest: lost_request,
    refuse,
    bareRateLimit: bare_rate_limit,
    deleteSeconds: delete_seconds,
    deleteNeedsReady: delete_needs_ready,
    noSsh: no_ssh,
    reuseAddress: reuse_address,
  };
}
