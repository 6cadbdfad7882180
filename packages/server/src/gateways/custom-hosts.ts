/** The host names of its own that a service has at its gateway. */
import { type HostPath, hostPathOf } from '@dstack/contract';
import type { RunRecord } from '@dstack/core';

type Served = Pick<RunRecord, 'serviceSpec'>;

export function hostPathsOf({ serviceSpec }: Served): HostPath[] {
  return (serviceSpec?.hosts ?? []).map(hostPathOf);
}

/** Without the paths. */
export function customNamesOf(runs: readonly Served[]): Set<string> {
  return new Set(runs.flatMap(hostPathsOf).map(({ host }) => host));
}
