import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SimKnobs } from '@dstack/contract';
import { BackendError } from '../base/errors.ts';
import { NO_FAULTS, type SimFaults } from './faults.ts';

/** In the folder of a provider: knobs, as JSON, that override those of its configuration. */
export function controlPath(dir: string): string {
  return join(dir, 'control.json');
}

/** `base`, overridden by the values of `knobs`. */
export function faultsOf(knobs: SimKnobs, base: SimFaults = NO_FAULTS): SimFaults {
  return {
    bootSeconds: knobs.boot_seconds ?? base.bootSeconds,
    neverReady: knobs.never_ready ?? base.neverReady,
    failsToBoot: knobs.fails_to_boot ?? base.failsToBoot,
    noCapacity: knobs.no_capacity ?? base.noCapacity,
    quota: knobs.quota ?? base.quota,
    error: knobs.error ?? base.error,
    rateLimit: knobs.rate_limit ?? base.rateLimit,
    lostResponse: knobs.lost_response ?? base.lostResponse,
    slowSeconds: knobs.slow_seconds ?? base.slowSeconds,
    eventualSeconds: knobs.eventual_seconds ?? base.eventualSeconds,
    slowRelease: knobs.slow_release ?? base.slowRelease,
    attachSeconds: knobs.attach_seconds ?? base.attachSeconds,
    stuckDetach: knobs.stuck_detach ?? base.stuckDetach,
    hold: knobs.hold ?? base.hold,
  };
}

/** The faults with the present values of the control file. */
export function controlledFaults(dir: string, base: SimFaults): () => SimFaults {
  const path = controlPath(dir);
  let read = { stamp: '', faults: base };
  return () => {
    const stamp = stampOf(path);
    if (stamp !== read.stamp) {
      read = { stamp, faults: stamp === '' ? base : faultsOf(readKnobs(path), base) };
    }
    return read.faults;
  };
}

/** Changes when the file is replaced; empty if there is none. */
function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat ? `${stat.ino} ${stat.mtimeMs}` : '';
}

function readKnobs(path: string): SimKnobs {
  const result = SimKnobs.safeParse(JSON.parse(readFileSync(path, 'utf8')));
  if (result.success) return result.data;
  throw new BackendError(`${path}: ${result.error.issues[0]?.message ?? 'not understood'}`);
}
