/** Events about certificates of gateways that end. */
import { instantText, listText } from '../explain/texts.ts';
import type {
  GatewayCertificateState,
  GatewayRecord,
  GatewayReport,
  NewEvent,
} from '../model/index.ts';
import { gatewayTarget, newEvent } from './events.ts';

type Certificate = GatewayCertificateState;

/** How bad it is; null = there has never been a certificate. */
function severity({ state, endsSoon }: Certificate): 0 | 1 | 2 | null {
  if (state === 'expired') return 2;
  if (state !== 'valid') return null;
  return endsSoon === true ? 1 : 0;
}

/**
 * What the report of a replica adds to the last ones of all replicas of the gateway. Replicas share their
 * certificates, so the first one that reports something reports it for all.
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
  return [...found.values()].map(({ domains, one }) =>
    newEvent(eventText(listText(domains), one), [gatewayTarget(gateway)]),
  );
}

function eventText(names: string, { state, endsSoon, expiresAt, message }: Certificate): string {
  const at = expiresAt === null ? '' : ` ${instantText(expiresAt)}`;
  const why = message === null ? '' : `: ${message}`;
  if (state === 'expired')
    return `The certificate for ${names} has expired${at && ` at${at}`}${why}`;
  if (endsSoon !== true)
    return `The certificate for ${names} has been renewed, and is valid until${at}`;
  return `The certificate for ${names} ends at${at}, and has not been renewed${why}`;
}
