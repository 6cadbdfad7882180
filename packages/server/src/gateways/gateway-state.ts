/** The state of a gateway's replica as it is stored and shown, made from the reports of its program. */
import type { GatewayCondition } from '@dstack/backends';
import type { GatewayFrame } from '@dstack/contract/agent';
import type { GatewayReport } from '@dstack/core';
import type { Reported } from './gateway-link.ts';

export type ShownState = Omit<GatewayReport, 'replicaId' | 'updatedAt'>;

export function reportedBy(
  frame: Extract<GatewayFrame, { type: 'status' }>,
  hostname: string | null,
): Reported {
  const { state, text, version } = frame;
  const certificates = frame.certificates.map((certificate) => ({
    domain: certificate.domain,
    source: certificate.source,
    state: certificate.state,
    expiresAt: certificate.expires_at,
    renewsAt: certificate.renews_at,
    endsSoon: certificate.ends_soon ?? false,
    message: certificate.message,
  }));
  return { state, text, version, hostname, certificates };
}

/** A gateway that cannot be reached keeps its certificates. */
export function withKnown(reported: Reported, known: Reported | null): Reported {
  if (reported.version !== null || known === null) return reported;
  return { ...known, state: reported.state, text: reported.text };
}

/** A replica that clients do not reach is not ready, whatever its program reports. */
export function withCondition(
  reported: Reported,
  condition: GatewayCondition | null,
  outdated: string | null,
): ShownState {
  if (condition === null) return { ...reported, outdated };
  const { unreachable } = condition;
  const isWaiting = reported.state === 'ready' && unreachable !== null;
  const shown = isWaiting ? ({ state: 'waiting', text: unreachable } as const) : {};
  return { ...reported, ...shown, outdated: condition.outdated };
}
