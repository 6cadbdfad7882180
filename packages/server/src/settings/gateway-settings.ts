import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { integerVariable, type ProcessEnv, SettingsError } from '@dstack/contract';
import {
  ACME_CHALLENGES,
  type AcmeChallenge,
  LONGEST_DNS_WAIT,
  MOST_GATEWAY_REPLICAS,
} from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import type { DnsHook } from '../gateways/dns-hook.ts';
import type { GatewayDomains } from '../gateways/domain-proof.ts';
import type { GatewayDefaults } from '../gateways/gateway-settings.ts';
import { atMost } from './bounded-variables.ts';

const LETS_ENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory';

/** Settings of the gateways of this server. Throws `SettingsError`. */
export function gatewayDefaults(
  env: ProcessEnv,
  { timeoutSeconds }: { readonly timeoutSeconds: number },
): GatewayDefaults {
  const dnsHook = hook(env);
  return {
    dnsHook,
    domains: domains(env),
    httpPort: port(env, 'DSTACK_GATEWAY_HTTP_PORT', 80),
    httpsPort: port(env, 'DSTACK_GATEWAY_HTTPS_PORT', 443),
    install: env.DSTACK_GATEWAY_INSTALL === '1',
    acme: {
      challenge: challenge(env, dnsHook),
      dns_wait: atMost(LONGEST_DNS_WAIT, env, 'DSTACK_ACME_DNS_WAIT', 120),
      directory: directory(env),
      eab_kid: env.DSTACK_ACME_EAB_KID || null,
      eab_hmac_key: env.DSTACK_ACME_EAB_HMAC_KEY || null,
      ca: authority(env),
    },
    dns: env.DSTACK_GATEWAY_DNS || null,
    authAge: integerVariable(env, 'DSTACK_GATEWAY_AUTH_AGE', 3600),
    maxBody: integerVariable(env, 'DSTACK_DEFAULT_SERVICE_CLIENT_MAX_BODY_SIZE', 64 * 1024 * 1024),
    timeoutMs: timeoutSeconds * 1000,
    hsts: integerVariable(env, 'DSTACK_GATEWAY_HSTS', 0),
    proxy: engine(env),
  };
}

/** The most replicas that a gateway may have. */
export const gatewayReplicas = (env: ProcessEnv): number =>
  atMost(MOST_GATEWAY_REPLICAS, env, 'DSTACK_SERVER_GATEWAY_MAX_REPLICAS', 9);

function port(env: ProcessEnv, name: string, fallback: number): number {
  const value = integerVariable(env, name, fallback);
  if (value >= 1 && value <= 65_535) return value;
  throw new SettingsError(`${name} is ${value}; it is a port from 1 to 65535`);
}

/** Who answers requests that need no judgement. */
function engine(env: ProcessEnv): 'nginx' | 'workers' {
  const text = env.DSTACK_GATEWAY_PROXY || 'workers';
  if (text === 'nginx' || text === 'workers') return text;
  throw new SettingsError(
    `DSTACK_GATEWAY_PROXY is ${JSON.stringify(text)}; it is nginx or workers`,
  );
}

function directory(env: ProcessEnv): string {
  const text = env.DSTACK_ACME_SERVER || LETS_ENCRYPT;
  if (URL.parse(text)?.protocol === 'https:') return text;
  throw new SettingsError(`DSTACK_ACME_SERVER is ${JSON.stringify(text)}; it is an https URL`);
}

function authority(env: ProcessEnv): string | null {
  const path = env.DSTACK_ACME_CA_FILE;
  if (!path) return null;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new SettingsError(`DSTACK_ACME_CA_FILE cannot be read: ${errorMessage(error)}`);
  }
}

function challenge(env: ProcessEnv, dnsHook: DnsHook | null): AcmeChallenge {
  const text = env.DSTACK_ACME_CHALLENGE || (dnsHook === null ? 'http-01' : 'dns-01');
  const known = ACME_CHALLENGES.find((one) => one === text);
  if (known === undefined) {
    throw new SettingsError(
      `DSTACK_ACME_CHALLENGE is ${JSON.stringify(text)}; it is one of ${ACME_CHALLENGES.join(', ')}`,
    );
  }
  if (known !== 'dns-01' || dnsHook !== null) return known;
  throw new SettingsError(
    'DSTACK_ACME_CHALLENGE is dns-01, which needs DSTACK_ACME_DNS_HOOK: a program or webhook that sets DNS records',
  );
}

/** A URL, the path of a program, or a JSON list of a program and its first arguments. */
function hook(env: ProcessEnv): DnsHook | null {
  const text = env.DSTACK_ACME_DNS_HOOK?.trim() ?? '';
  if (text === '') return null;
  const protocol = URL.parse(text)?.protocol;
  if (protocol === 'https:' || protocol === 'http:') {
    return { kind: 'webhook', url: text, token: env.DSTACK_ACME_DNS_HOOK_TOKEN || null };
  }
  const [program, ...rest] = text.startsWith('[') ? listOf(text) : [text];
  if (program !== undefined && isAbsolute(program)) {
    return { kind: 'command', argv: [program, ...rest] };
  }
  throw new SettingsError(
    'DSTACK_ACME_DNS_HOOK must be an http(s) URL, the absolute path of a program, or a JSON list of such a path and arguments',
  );
}

const DOMAIN = /^(?:\*\.)?((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63})$/;

/** `project=domain,…`; a project may occur several times. */
function domains(env: ProcessEnv): GatewayDomains {
  const found = new Map<string, string[]>();
  const parts = (env.DSTACK_GATEWAY_DOMAINS ?? '').split(',').map((part) => part.trim());
  for (const part of parts.filter((one) => one !== '')) {
    const [project = '', text = '', ...rest] = part.toLowerCase().split('=');
    const domain = DOMAIN.exec(text.trim())?.[1];
    if (project.trim() === '' || domain === undefined || rest.length > 0) {
      throw new SettingsError(
        `DSTACK_GATEWAY_DOMAINS contains ${JSON.stringify(part)}; write project=domain, as in main=apps.example.com,lab=lab.example.com`,
      );
    }
    found.set(project.trim(), [...(found.get(project.trim()) ?? []), domain]);
  }
  return found;
}

function listOf(text: string): readonly string[] {
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.every((one) => typeof one === 'string')) return list;
  } catch {
    // The error names the forms.
  }
  return [];
}
