import { formatDuration } from '@dstack/contract';
import type { VmCloud } from './vm-cloud.ts';

/** Whether machines end once no server is left, as a text for plans. `leaseSeconds`: as in `BackendHost`. */
export function withoutServer(
  { leaseEnding }: Pick<VmCloud, 'leaseEnding'>,
  leaseSeconds: number | null,
): string {
  if (leaseEnding === undefined) return 'it needs a living server: nothing else ends its machines';
  if (leaseSeconds === null) {
    return 'it needs a living server: DSTACK_AGENT_LEASE is off, so nothing else ends its machines';
  }
  return `its idle machines end by themselves after ${formatDuration(leaseSeconds)} without the server`;
}
