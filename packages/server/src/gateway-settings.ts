import { readFileSync } from 'node:fs';
import { errorMessage } from '@dstack/contract/error-message';
import { integerVariable, type ProcessEnv, SettingsError } from './environment.ts';
import type { GatewayDefaults } from './gateways/gateway-settings.ts';

const LETS_ENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory';

/** Settings of the gateways of this server. Throws `SettingsError`. */
export function gatewayDefaults(
  env: ProcessEnv,
  { timeoutSeconds }: { readonly timeoutSeconds: number },
): GatewayDefaults {
  return {
    httpPort: port(env, 'DSTACK_GATEWAY_HTTP_PORT', 80),
    httpsPort: port(env, 'DSTACK_GATEWAY_HTTPS_PORT', 443),
    install: env.DSTACK_GATEWAY_INSTALL === '1',
    acme: {
      directory: directory(env),
      eab_kid: env.DSTACK_ACME_EAB_KID || null,
      eab_hmac_key: env.DSTACK_ACME_EAB_HMAC_KEY || null,
      ca: authority(env),
    },
    dns: env.DSTACK_GATEWAY_DNS || null,
    authAge: integerVariable(env, 'DSTACK_GATEWAY_AUTH_AGE', 3600),
    maxBody: integerVariable(env, 'DSTACK_DEFAULT_SERVICE_CLIENT_MAX_BODY_SIZE', 64 * 1024 * 1024),
    timeoutMs: timeoutSeconds * 1000,
  };
}

function port(env: ProcessEnv, name: string, fallback: number): number {
  const value = integerVariable(env, name, fallback);
  if (value >= 1 && value <= 65_535) return value;
  throw new SettingsError(`${name} is ${value}; it is a port from 1 to 65535`);
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
