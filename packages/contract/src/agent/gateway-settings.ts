/** The settings that a gateway receives, and its reports about certificates. */
import { Port } from './gateway-schemas.ts';
import {
  flag,
  type Infer,
  line,
  list,
  messageText,
  nullable,
  object,
  oneOf,
  optional,
  text,
  whole,
} from './schema-kit.ts';

/** A gateway takes no settings that name more. */
export const MOST_GATEWAY_REPLICAS = 1000;
/** Seconds. */
export const LONGEST_DNS_WAIT = 3600;

/** How a gateway proves that a name leads to it. */
export const ACME_CHALLENGES = ['http-01', 'tls-alpn-01', 'dns-01'] as const;
export type AcmeChallenge = (typeof ACME_CHALLENGES)[number];
/** How certificates come to the gateway. */
export const AcmeSettings = object({
  /** Null: http-01. */
  challenge: nullable(oneOf(...ACME_CHALLENGES)),
  /** Seconds until DNS must show a record that the server has set. */
  dns_wait: nullable(whole(LONGEST_DNS_WAIT)),
  directory: line(2048),
  eab_kid: nullable(line(1024)),
  eab_hmac_key: nullable(line(4096)),
  /**
   * PEM; the account of all replicas, so that each can answer the questions of the authority about the
   * requests of the others. Null: the replica has an account of its own.
   */
  account_key: nullable(text()),
  /** Certificates of a private authority in PEM, which the directory's own certificate is checked with. */
  ca: nullable(text()),
});
export type AcmeSettings = Infer<typeof AcmeSettings>;

export const GatewaySettings = object({
  http_port: Port,
  https_port: Port,
  /** Install a missing nginx. */
  install: flag,
  /** Null: no certificates are requested. */
  acme: nullable(AcmeSettings),
  /** Services may be served by TLS. */
  tls: flag,
  /** Address that DNS must have; null = it is not known. */
  address: nullable(line(256)),
  /** Those of the other replicas, where DNS may lead instead. */
  other_addresses: nullable(list(line(256), MOST_GATEWAY_REPLICAS)),
  /**
   * How many other replicas are to request a certificate before this one does, so that they do not all
   * request the same. Null: none.
   */
  turn: nullable(whole(MOST_GATEWAY_REPLICAS)),
  /** `host:port` of the DNS server for the check of names; null = the system's. */
  dns: nullable(line(256)),
  /** Seconds during which known callers are admitted while the server does not answer. */
  auth_age: whole(),
  /** Bytes of a body; 0 = no limit. */
  max_body: whole(),
  /** Milliseconds without a byte after which a request fails. */
  timeout_ms: whole(),
  /** Seconds for which browsers are to ask by HTTPS alone; 0 = no limit of that kind. Earlier servers send none. */
  hsts: optional(whole()),
  /** Who answers requests that need no judgement: nginx itself, where it can. Earlier servers send none: workers. */
  proxy: optional(oneOf('nginx', 'workers')),
  /** How many replicas of the gateway share its rate limits, which the server counts then. Earlier servers send none. */
  replicas: optional(whole(MOST_GATEWAY_REPLICAS)),
  /**
   * Marks of tokens that the operator of the server has chosen, by which requests that may have one are found: the
   * length in bytes, and the first byte of the SHA-1. Earlier servers send none.
   */
  token_marks: optional(list(object({ length: whole(4096), byte: whole(255) }), 10)),
});
export type GatewaySettings = Infer<typeof GatewaySettings>;

/** Certificate and key that a person has set, for a host name or `*.` and a host name. */
export const GatewayPem = object({ domain: line(256), certificate: text(), key: text() });
export type GatewayPem = Infer<typeof GatewayPem>;

export const CertificateState = object({
  domain: line(256),
  source: oneOf('acme', 'file'),
  state: oneOf('valid', 'pending', 'failed', 'expired'),
  expires_at: nullable(whole()),
  renews_at: nullable(whole()),
  /** It is valid, but its end is near, and there is no other one. */
  ends_soon: nullable(flag),
  message: nullable(messageText()),
});
export type CertificateState = Infer<typeof CertificateState>;
