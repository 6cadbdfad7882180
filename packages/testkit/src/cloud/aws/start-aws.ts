import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../../random.ts';
import { CloudCalls } from '../calls.ts';
import { type CloudClock, runningClock } from '../clock.ts';
import { controlFile } from '../control-file.ts';
import type { CloudKnobs } from '../faults.ts';
import { startAwsFront } from './aws-front.ts';
import { startMoto } from './moto.ts';

export interface Aws {
  /** The address of all services, which is that of the front before moto. */
  readonly url: string;
  readonly calls: CloudCalls;
  readonly faults: { set(knobs: CloudKnobs): void };
  /** Ids of machines that were made and not ended. */
  vms(): readonly string[];
  close(): Promise<void>;
}

/** AWS by moto, with the front's additions. `environment`: of `motoEnvironment`. */
export async function startAws(
  environment: string,
  options: { readonly clock?: CloudClock; readonly seed?: number } = {},
): Promise<Aws> {
  const { clock = runningClock(), seed = 1 } = options;
  const dir = mkdtempSync(join(tmpdir(), 'cloud-aws-'));
  const control = controlFile(dir);
  const common = { clock, random: new Random(seed), faults: control.current };
  const calls = new CloudCalls(common);
  const moto = await startMoto(environment);
  const front = await startAwsFront({ ...common, calls, moto: moto.url });
  return {
    ...{ url: front.url, calls, faults: { set: control.set } },
    vms: () => front.vms,
    close: async () => {
      await front.close();
      await moto.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
