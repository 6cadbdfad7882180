import type { GatewayLinksOptions } from '../gateway-links-options.ts';

/** For gateways whose replicas are always ready, each on a host with the replica's id, without certificates of an authority. */
export const ALWAYS_READY = {
  observe: async () => ({ state: 'ready' }),
  isOnInstance: () => false,
  maintain: async () => null,
  forget: async () => {},
  hostOf: ({ id }) => id,
  addressOf: async () => '192.0.2.1',
  portsOf: async () => null,
  agentOn: async () => null,
  pushKeys: () => {},
  defaults: {
    ...{ httpPort: 80, httpsPort: 443, install: false, dnsHook: null, dns: null },
    ...{ domains: new Map(), authAge: 60, maxBody: 0, timeoutMs: 1000, hsts: 0 },
    ...{ proxy: 'workers', tokenMarks: [] },
    acme: {
      ...{ challenge: 'http-01', dns_wait: null, directory: 'https://acme.test/', ca: null },
      ...{ eab_kid: null, eab_hmac_key: null },
    },
  },
} as const satisfies Partial<GatewayLinksOptions>;
