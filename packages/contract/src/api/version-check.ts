/**
 * Which clients are served. A client states its version in `X-API-VERSION` (PEP 440). It is refused
 * only if it is newer than the API by more than a patch version.
 */
import { ApiError } from '../errors/index.ts';
import { WIRE_VERSION } from '../wire/version.ts';

/** Major, minor and patch version of a client that states its version. */
export interface ClientVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

const PEP_440 =
  /^\s*v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(?:a|b|c|rc|alpha|beta|pre|preview)[-_.]?\d*)?(?:-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?(?:[-_.]?dev[-_.]?\d*)?(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?\s*$/i;

/** The release part of a PEP 440 version, null if the text is not one. */
export function parseVersion(text: string): ClientVersion | null {
  const match = PEP_440.exec(text);
  if (match === null) return null;
  const [major = 0, minor = 0, patch = 0] = (match[2] ?? '').split('.').map(Number);
  return { major: major + Number(match[1] ?? 0) * 1000, minor, patch };
}

/**
 * The version of a client that sends this header. Null = treat as the newest: no header,
 * `latest` (the web UI), or a development version. Throws `ApiError` for a version that cannot be
 * read or served.
 */
export function checkClientVersion(header: string | undefined): ClientVersion | null {
  if (header === undefined || header === 'latest') return null;
  const client = parseVersion(header);
  if (client === null) throw new ApiError(null, `Invalid version: ${header}`);
  if (client.major === 0 && client.minor === 0 && client.patch === 0) return null;
  const server = parseVersion(WIRE_VERSION) as ClientVersion;
  const sameLine = client.major === server.major && client.minor === server.minor;
  if (!sameLine && !isBefore(client, server)) {
    throw new ApiError(
      'error',
      `The client/CLI version (${header}) is incompatible with the server version (${WIRE_VERSION}).`,
    );
  }
  return client;
}

function isBefore(a: ClientVersion, b: ClientVersion): boolean {
  if (a.major !== b.major) return a.major < b.major;
  return a.minor !== b.minor ? a.minor < b.minor : a.patch < b.patch;
}

/** True for clients older than `version`; false for those that count as the newest. */
export function olderThan(client: ClientVersion | null, version: string): boolean {
  const bound = parseVersion(version);
  return client !== null && bound !== null && isBefore(client, bound);
}
