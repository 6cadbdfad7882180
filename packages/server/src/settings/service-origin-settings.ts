import { type ProcessEnv, SettingsError } from '@dstack/contract';
import { labelOf, type OriginPattern, parseOriginPattern } from '@dstack/proxy';

const NAME = 'DSTACK_SERVER_SERVICES_URL';

/** Null: services have no host names of their own. `serverUrl`: the public URL of the server. */
export function serviceOriginSettings(
  env: ProcessEnv,
  serverUrl: string | null,
): OriginPattern | null {
  const text = env[NAME];
  if (!text) return null;
  const pattern = parseOriginPattern(text);
  if (pattern === null) {
    throw new SettingsError(
      `${NAME} is ${JSON.stringify(text)}; it must have the form https://*.services.example.com, with http or https, and a port if it is not the usual one`,
    );
  }
  if (serverUrl === null || !URL.canParse(serverUrl)) {
    throw new SettingsError(
      `${NAME} needs DSTACK_SERVER_URL, the public URL of this server: people sign in there before they see a service`,
    );
  }
  const { hostname } = new URL(serverUrl);
  if (labelOf(pattern, hostname) !== null) {
    throw new SettingsError(
      `${NAME} is ${text}, and the host of DSTACK_SERVER_URL, ${hostname}, is under that domain; services need a domain that the server itself does not use`,
    );
  }
  return pattern;
}
