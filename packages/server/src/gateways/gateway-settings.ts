import type { AcmeSettings, GatewaySettings } from '@dstack/contract/agent';
import type { GatewayRecord } from '@dstack/core';
import type { DnsHook } from './dns-hook.ts';

/** The same for all gateways of this server. */
export interface GatewayDefaults {
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly install: boolean;
  readonly acme: AcmeSettings;
  /** Sets DNS records; null = nothing does. */
  readonly dnsHook: DnsHook | null;
  /** DNS server for the check of names, `host:port`; null = the system's. */
  readonly dns: string | null;
  /** Seconds. */
  readonly authAge: number;
  readonly maxBody: number;
  readonly timeoutMs: number;
}

export function gatewaySettings(
  { configuration }: Pick<GatewayRecord, 'configuration'>,
  given: GatewayDefaults & { readonly address: string | null; readonly hasFiles: boolean },
): GatewaySettings {
  const { httpPort, httpsPort, install, acme, dns, authAge, maxBody, timeoutMs } = given;
  // Names with a file that a person has set need no other certificate; the gateway skips them.
  const requests = configuration.certificate?.type === 'lets-encrypt';
  return {
    ...{ http_port: httpPort, https_port: httpsPort, install, dns },
    acme: requests ? acme : null,
    tls: requests || given.hasFiles,
    address: given.address,
    ...{ auth_age: authAge, max_body: maxBody, timeout_ms: timeoutMs },
  };
}
