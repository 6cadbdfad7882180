/** Certificates that replicas of a gateway have requested, for its other replicas. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { GatewayPem } from '@dstack/contract/agent';
import type { GatewayPemRecord } from '@dstack/store';

/** The certificates to store: complete ones with matching keys that outlast the known ones. */
export function newerCertificates(
  offered: readonly GatewayPem[],
  known: readonly GatewayPemRecord[],
  now: number,
): GatewayPem[] {
  return offered.filter((one) => {
    const before = known.find(({ domain }) => domain === one.domain);
    const until = validUntil(one);
    return until > now && until > (before ? validUntil(before) : 0);
  });
}

/** Milliseconds since the epoch; 0 = it cannot be used. */
function validUntil({ domain, certificate, key }: GatewayPem): number {
  try {
    const parsed = new X509Certificate(certificate);
    // A replica must not replace certificates of names that it could not prove.
    const isOfName = parsed.checkHost(domain.replace(/^\*/, 'any')) !== undefined;
    const isWhole = isOfName && parsed.checkPrivateKey(createPrivateKey(key));
    return isWhole ? Date.parse(parsed.validTo) : 0;
  } catch {
    return 0;
  }
}
