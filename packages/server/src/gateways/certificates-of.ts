import type { GatewayCertificateState, GatewayReport } from '@dstack/core';

/** The worst first. */
const STATES: readonly GatewayCertificateState['state'][] = [
  'expired',
  'failed',
  'pending',
  'valid',
];

/** One for each name: of several replicas, the worst. */
export function certificatesOf(
  reports: readonly Pick<GatewayReport, 'certificates'>[],
): GatewayCertificateState[] {
  const worst = new Map<string, GatewayCertificateState>();
  for (const one of reports.flatMap(({ certificates }) => certificates)) {
    const known = worst.get(one.domain);
    if (known === undefined || badness(one) < badness(known)) worst.set(one.domain, one);
  }
  return [...worst.values()];
}

/** Less is worse. */
const badness = ({ state, message }: GatewayCertificateState): number =>
  STATES.indexOf(state) + (message === null ? 0.5 : 0);
