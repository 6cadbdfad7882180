import type { GatewayCertificateInfo } from '@dstack/contract/wire';
import type { StatusLook } from '../../ui/status/status-badge.tsx';

/** How the state of a certificate is shown. */
export function certificateLook({ state }: Pick<GatewayCertificateInfo, 'state'>): StatusLook {
  switch (state) {
    case 'valid':
      return { tone: 'running', icon: 'ok', text: 'Valid' };
    case 'pending':
      return { tone: 'starting', icon: 'progress', text: 'Requested' };
    case 'failed':
      return { tone: 'failed', icon: 'failed', text: 'Failed' };
    case 'expired':
      return { tone: 'failed', icon: 'failed', text: 'Expired' };
  }
}

export function certificateSource({ source }: Pick<GatewayCertificateInfo, 'source'>): string {
  return source === 'acme' ? "Let's Encrypt or another authority" : 'a file';
}
