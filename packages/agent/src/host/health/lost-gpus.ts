/** GPUs that were present when the agent started and are missing now. */
import type { HostGpu } from '@dstack/contract/agent';
import type { CheckFinding } from './check.ts';

/** `ids`: the GPUs that the vendor's tool lists now. Empty if none is missing. */
export function lostGpus(expected: readonly HostGpu[], ids: readonly string[]): CheckFinding[] {
  const lost = expected.flatMap((gpu, index) =>
    ids.includes(gpu.id) ? [] : [gpuName(gpu, index)],
  );
  return lost.length === 0 ? [] : [lostFinding(lost, expected.length)];
}

export function lostFinding(names: readonly string[], of: number): CheckFinding {
  const are = names.length === 1 ? 'is' : 'are';
  const which = names.join(', ');
  const message = `${names.length} of ${of} GPUs ${are} lost: ${which}; reset the GPU or restart the host`;
  return { status: 'failure', message };
}

function gpuName({ id }: HostGpu, index: number): string {
  return id === String(index) ? `GPU ${index}` : `GPU ${index} (${id})`;
}
