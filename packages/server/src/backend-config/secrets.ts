/** The secrets of a backend's configuration: stored separately, shown masked, merged again. */

type Json = Readonly<Record<string, unknown>>;

/** The text that clients see instead of a secret. A client that sends it back leaves the secret unchanged. */
export const MASK = '********';

/** Keys whose whole value is part of the credentials, whatever the type. */
const CREDENTIALS = new Set(['creds', 'kubeconfig']);

/** The secret fields of credentials; the others only identify an account or a place. */
const SECRET_FIELDS = new Set([
  'api_key',
  'api_token',
  'client_secret',
  'content',
  'data',
  'key_content',
  'pass_phrase',
  'private_key_content',
  'secret_key',
]);

export interface SplitConfig {
  readonly config: Json;
  /** Stored encrypted only. */
  readonly auth: Json;
}

/** Clusters of Slurm stay visible, except for their keys. */
export function splitSecrets(full: Json): SplitConfig {
  const config: Record<string, unknown> = {};
  const auth: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(full)) {
    if (CREDENTIALS.has(key)) {
      auth[key] = value;
    } else if (key === 'clusters' && Array.isArray(value)) {
      config[key] = value.map(withoutKeys);
      auth[key] = value.map(keysOf);
    } else {
      config[key] = value;
    }
  }
  return { config, auth };
}

interface ClusterKeys {
  readonly private_key?: unknown;
  readonly proxy_jump?: { readonly private_key?: unknown } | null;
}

function withoutKeys({ private_key: _, proxy_jump: jump, ...cluster }: ClusterKeys): Json {
  if (!jump) return cluster;
  const { private_key: __, ...others } = jump;
  return { ...cluster, proxy_jump: others };
}

/** Also that of a jump host, which may have none of its own. */
function keysOf({ private_key, proxy_jump: jump }: ClusterKeys): Json {
  const ofJump =
    jump && 'private_key' in jump ? { proxy_jump: { private_key: jump.private_key } } : {};
  return { private_key, ...ofJump };
}

/** The opposite of `splitSecrets`, except for the order of the keys. */
export function joinSecrets({ config, auth }: SplitConfig): Json {
  const { clusters, ...credentials } = auth;
  if (!Array.isArray(clusters)) return { ...config, ...credentials };
  const known = Array.isArray(config.clusters) ? config.clusters : [];
  return {
    ...config,
    ...credentials,
    clusters: clusters.map(({ proxy_jump: jump, ...secret }, index) => ({
      ...known[index],
      ...secret,
      ...(jump && { proxy_jump: { ...known[index]?.proxy_jump, ...jump } }),
    })),
  };
}

export function maskSecrets(full: Json): Json {
  const { config, auth } = splitSecrets(full);
  return joinSecrets({ config, auth: mapStrings(auth, masked) as Json });
}

function masked(text: string, path: readonly string[]): string {
  return isSecretField(path) && text !== '' ? MASK : text;
}

/** `path`: below the configuration. */
export function isSecretField(path: readonly string[]): boolean {
  return SECRET_FIELDS.has(path.at(-1) ?? '');
}

/**
 * Replaces masks by the stored secrets. `missing`: places of masks without a stored value, because
 * the backend is new or the kind of its credentials has changed.
 */
export function unmaskSecrets(
  given: Json,
  stored: Json | null,
): { readonly full: Json; readonly missing: readonly (readonly string[])[] } {
  const { config, auth } = splitSecrets(given);
  const old = stored === null ? {} : storedSecrets(given, stored);
  const missing: (readonly string[])[] = [];
  const restored = mapStrings(auth, (text, path) => {
    if (text !== MASK || !isSecretField(path)) return text;
    const before = path.reduce<unknown>((value, key) => (value as Json | undefined)?.[key], old);
    if (typeof before === 'string') return before;
    missing.push(path);
    return text;
  });
  return { full: joinSecrets({ config, auth: restored as Json }), missing };
}

/** In the given order of clusters, which are identified by their names. */
function storedSecrets(given: Json, stored: Json): Json {
  const { auth } = splitSecrets(stored);
  if (!Array.isArray(given.clusters) || !Array.isArray(stored.clusters)) return auth;
  const byName = new Map(stored.clusters.map((cluster) => [cluster.name, cluster]));
  const clusters = given.clusters.map(({ name }) => keysOf(byName.get(name) ?? {}));
  return { ...auth, clusters };
}

/** Every string below `value`, with its place. */
function mapStrings(
  value: unknown,
  map: (text: string, path: readonly string[]) => string,
  path: readonly string[] = [],
): unknown {
  if (typeof value === 'string') return map(value, path);
  if (Array.isArray(value)) {
    return value.map((item, index) => mapStrings(item, map, [...path, String(index)]));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, mapStrings(item, map, [...path, key])]),
  );
}

/** Every string of the credentials, with its place. */
export function credentialStrings(
  full: Json,
): readonly { readonly path: readonly string[]; readonly text: string }[] {
  const found: { path: readonly string[]; text: string }[] = [];
  mapStrings(splitSecrets(full).auth, (text, path) => {
    found.push({ path, text });
    return text;
  });
  return found;
}
