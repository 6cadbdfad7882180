/** The control file of a simulated provider: knobs as JSON, read again whenever it was replaced. */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CloudFaults, type CloudKnobs, cloudFaultsOf, NO_CLOUD_FAULTS } from './faults.ts';

export interface FaultControl {
  /** The present faults. */
  readonly current: () => CloudFaults;
  /** Replaces all knobs; `{}` heals the provider. */
  set(knobs: CloudKnobs): void;
}

/** `control.json` in `dir`, the same name as that of the backend `sim`. */
export function controlFile(dir: string): FaultControl {
  const path = join(dir, 'control.json');
  let read = { stamp: '', faults: NO_CLOUD_FAULTS };
  return {
    current() {
      const stamp = stampOf(path);
      if (stamp !== read.stamp) {
        const faults =
          stamp === ''
            ? NO_CLOUD_FAULTS
            : cloudFaultsOf(JSON.parse(readFileSync(path, 'utf8')) as CloudKnobs);
        read = { stamp, faults };
      }
      return read.faults;
    },
    set(knobs) {
      cloudFaultsOf(knobs);
      writeFileSync(`${path}.draft`, JSON.stringify(knobs));
      renameSync(`${path}.draft`, path);
    },
  };
}

/** Changes when the file is replaced; empty if there is none. */
function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat ? `${stat.ino} ${stat.mtimeNs}` : '';
}
