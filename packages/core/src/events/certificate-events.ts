/** Events about certificates of gateways that end. */
import type {
  GatewayCertificateState,
  GatewayRecord,
  GatewayReport,
  NewEvent,
} from '../model/index.ts';
import { gatewayTarget } from './events.ts';
import { recordEvent } from './record-event.ts';

type Certificate = GatewayCertificateState;

/** How bad it is; null = there has never been a certificate. */
function severity({ state, endsSoon }: Certificate): 0 | 1 | 2 | null {
  if (state === 'expired') return 2;
  if (state !== 'valid') return null;
  return endsSoon === true ? 1 : 0;
}

/**
 * Events for what the report of a replica adds to the last reports of all replicas of the gateway. Replicas
 * share their certificates, so the first replica that reports a change reports it for all of them.
 */
export function certificateEvents(
  gateway: Pick<GatewayRecord, 'id' | 'name' | 'projectId'>,
  before: readonly GatewayReport[],
  next: Pick<GatewayReport, 'certificates'>,
): NewEvent[] {
  const found = new Map<string, { readonly domains: string[]; readonly one: Certificate }>();
  for (const one of next.certificates) {
    const now = severity(one);
    if (now === null) continue;
    const known = before.flatMap(({ certificates }) =>
      certificates.filter(({ domain }) => domain === one.domain).map((last) => severity(last) ?? 0),
    );
    const isWorse = now > Math.max(0, ...known);
    const isRenewed = now === 0 && known.length > 0 && Math.min(...known) > 0;
    if (!isWorse && !isRenewed) continue;
    // One certificate may serve many names.
    const key = JSON.stringify([now, one.expiresAt, one.source, one.message]);
    const same = found.get(key);
    if (same) same.domains.push(one.domain);
    else found.set(key, { domains: [one.domain], one });
  }
  return [...found.values()].map(({ domains, one }) => certificateEvent(gateway, domains, one));
}

const NAMED = 3;

function certificateEvent(
  gateway: Pick<GatewayRecord, 'id' | 'name' | 'projectId'>,
  names: readonly string[],
  { state, endsSoon, expiresAt, message }: Certificate,
): NewEvent {
  const known = {
    domains: names.slice(0, NAMED),
    omitted: Math.max(0, names.length - NAMED),
    expires_at: expiresAt === null ? null : new Date(expiresAt / 1000).toISOString(),
  };
  const targets = [gatewayTarget(gateway)];
  const data = { ...known, message };
  if (state === 'expired') {
    return recordEvent({ action: 'gateway.certificate_expired', data, targets });
  }
  if (endsSoon === true) {
    return recordEvent({ action: 'gateway.certificate_ending', data, targets });
  }
  return recordEvent({ action: 'gateway.certificate_renewed', data: known, targets });
}
