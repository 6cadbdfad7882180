import type { AcmeSettings, GatewaySettings } from '@dstack/contract/agent';
import type { GatewayRecord } from '@dstack/core';
import type { TokenMark } from '@dstack/proxy';
import type { DnsHook } from './dns-hook.ts';
import type { GatewayDomains } from './domain-proof.ts';

/** The settings that are the same for all gateways of this server. */
export interface GatewayDefaults {
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly install: boolean;
  readonly acme: Omit<AcmeSettings, 'account_key'>;
  /** Sets DNS records; null = nothing does. */
  readonly dnsHook: DnsHook | null;
  /** Domains for which it sets them, by project. */
  readonly domains: GatewayDomains;
  /** DNS server for the check of names, `host:port`; null = the system's. */
  readonly dns: string | null;
  /** Seconds. */
  readonly authAge: number;
  readonly maxBody: number;
  readonly timeoutMs: number;
  /** Seconds of `Strict-Transport-Security`; 0 = no such header. */
  readonly hsts: number;
  /** See `GatewaySettings`. */
  readonly proxy: 'nginx' | 'workers';
}

/** The same with what is known of the server's tokens once it has started. */
export interface GivenToGateways extends GatewayDefaults {
  /** Marks of tokens that the operator has chosen. */
  readonly tokenMarks: readonly TokenMark[];
}

/** The settings that differ between the replicas of gateways. */
export interface GivenToReplica {
  readonly address: string | null;
  /** Addresses of the other replicas that serve. */
  readonly others: readonly string[];
  /** How many of them are to request a certificate first. */
  readonly turn: number;
  /** How many serve, this one too. */
  readonly replicas: number;
  readonly hasFiles: boolean;
  /** Null: no certificates are requested. */
  readonly accountKey: string | null;
}

/** Names with a file that a person has set need no other certificate; the gateway skips them. */
export const requestsCertificates = ({ configuration }: Pick<GatewayRecord, 'configuration'>) =>
  configuration.certificate?.type === 'lets-encrypt';

export function gatewaySettings(
  { configuration }: Pick<GatewayRecord, 'configuration'>,
  given: GivenToGateways & GivenToReplica,
): GatewaySettings {
  const { httpPort, httpsPort, install, acme, dns, authAge, maxBody, timeoutMs, hsts, proxy } =
    given;
  const requests = requestsCertificates({ configuration });
  return {
    ...{ http_port: httpPort, https_port: httpsPort, install, dns },
    acme: requests ? { ...acme, account_key: given.accountKey } : null,
    tls: requests || given.hasFiles,
    ...{ address: given.address, other_addresses: [...given.others], turn: given.turn },
    ...{ auth_age: authAge, max_body: maxBody, timeout_ms: timeoutMs, hsts, proxy },
    replicas: given.replicas,
    token_marks: [...given.tokenMarks],
  };
}
