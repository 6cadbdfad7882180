import { type GatewayStatus, isGatewayFailed, isGatewayRunning } from '@dstack/contract/status';
import type { Gateway } from '@dstack/contract/wire';
import type { StatusLook } from '../../ui/status/status-badge.tsx';

/** How the status of a gateway is shown. */
export function gatewayLook(status: GatewayStatus): StatusLook {
  if (isGatewayRunning(status)) return { tone: 'running', icon: 'active', text: 'Running' };
  if (isGatewayFailed(status)) return { tone: 'failed', icon: 'failed', text: 'Failed' };
  return status === 'submitted'
    ? { tone: 'queued', icon: 'waiting', text: 'Submitted' }
    : { tone: 'starting', icon: 'progress', text: 'Provisioning' };
}

/** The addresses that its domain has to lead to. */
export function gatewayAddresses({ hostname, replicas }: Gateway): readonly string[] {
  if (hostname !== null) return [hostname];
  // In a cluster all replicas have one.
  return [...new Set(replicas.flatMap((replica) => replica.hostname ?? []))];
}

const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/** The record that its owner has to create for the domain; null: it has no domain or no address yet. */
export function dnsRecord(gateway: Gateway): string | null {
  const domain = gateway.wildcard_domain?.replace(/^\*\./, '');
  const addresses = gatewayAddresses(gateway);
  if (!domain || addresses.length === 0) return null;
  return addresses
    .map((address) => `*.${domain}. ${IPV4.test(address) ? 'A' : 'CNAME'} ${address}`)
    .join('\n');
}
