import type { HostGpu } from '@dstack/contract/agent';
import { findGpus, nvidiaTool } from '../host-gpus.ts';
import { amdRun } from './amd.ts';
import { type Check, type CheckFinding, combine } from './check.ts';
import { dcgmCheck } from './dcgm.ts';
import { lostGpus } from './lost-gpus.ts';
import { nvidiaRun } from './nvidia.ts';

/** Checks of the GPUs that the agent found when it started; none without GPUs. */
export function gpuChecks(gpus: readonly HostGpu[], periodMs: number): readonly Check[] {
  switch (gpus[0]?.vendor) {
    case undefined:
      return [];
    case 'nvidia':
      return [
        { name: 'gpu', periodMs, run: nvidiaRun(nvidiaTool() ?? 'nvidia-smi', gpus) },
        dcgmCheck(periodMs),
      ];
    case 'amd':
      return [{ name: 'gpu', periodMs, run: amdRun(gpus) }];
    default:
      return [{ name: 'gpu', periodMs, run: () => listedRun(gpus) }];
  }
}

/** Uses only the list of GPUs. */
async function listedRun(expected: readonly HostGpu[]): Promise<CheckFinding> {
  const ids = (await findGpus()).gpus.map((gpu) => gpu.id);
  // The output is the same whether the tool fails or finds nothing.
  if (ids.length === 0) throw new Error('the tool of the GPUs lists none');
  return combine(lostGpus(expected, ids));
}
