import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type SimFaults, SimKnobs, simFaultsOf } from '@dstack/contract';
import { BackendError } from '../base/errors.ts';

/** In the folder of a provider: knobs, as JSON, that override those of its configuration. */
export function controlPath(dir: string): string {
  return join(dir, 'control.json');
}

/** The faults with the present values of the control file. */
export function controlledFaults(dir: string, base: SimFaults): () => SimFaults {
  const path = controlPath(dir);
  let read = { stamp: '', faults: base };
  return () => {
    const stamp = stampOf(path);
    if (stamp !== read.stamp) {
      read = { stamp, faults: stamp === '' ? base : simFaultsOf(readKnobs(path), base) };
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
