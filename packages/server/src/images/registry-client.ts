import type { RegistryAuth } from '@dstack/contract';
import type { ImageConfig } from '@dstack/core';
import type { Outgoing, OutgoingAnswer } from '../outgoing/outgoing.ts';
import type { ImageReference } from './image-reference.ts';

/** Bytes; manifests and configurations are smaller. */
const MAX_BYTES = 4 * 1024 * 1024;
const LISTS = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const MANIFESTS = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
const ARCHITECTURES: Readonly<Record<string, 'x86' | 'arm'>> = { amd64: 'x86', arm64: 'arm' };

/** The registry has responded with something other than an image's configuration. */
export class RegistryError extends Error {
  override name = 'RegistryError';
  readonly status: number | null;

  constructor(message: string, status: number | null = null) {
    super(message);
    this.status = status;
  }
}

interface Platform {
  readonly os?: string;
  readonly architecture?: string;
}

interface Manifest {
  readonly mediaType?: string;
  readonly config?: { readonly digest: string };
  readonly manifests?: readonly { readonly digest: string; readonly platform?: Platform }[];
}

interface ConfigBlob extends Platform {
  readonly config?: {
    readonly Entrypoint?: readonly string[] | null;
    readonly Cmd?: readonly string[] | null;
    readonly User?: string | null;
  };
}

/**
 * Reads the configuration of an image from its registry, without its layers. Throws `RegistryError`,
 * `OutgoingRefused` or `OutgoingFailed`.
 */
export async function readImageConfig(
  outgoing: Outgoing,
  image: ImageReference,
  auth: RegistryAuth | null,
  signal: AbortSignal,
): Promise<ImageConfig> {
  const registry = new Registry(outgoing, image, auth, signal);
  const top = await registry.json<Manifest>(`manifests/${image.reference}`, [
    ...LISTS,
    ...MANIFESTS,
  ]);
  const linux = (top.manifests ?? []).filter(({ platform }) => platform?.os === 'linux');
  const chosen = linux.find(({ platform }) => platform?.architecture === 'amd64') ?? linux[0];
  const manifest = chosen
    ? await registry.json<Manifest>(`manifests/${chosen.digest}`, MANIFESTS)
    : top;
  if (!manifest.config) throw new RegistryError('the manifest names no configuration for Linux');
  const blob = await registry.json<ConfigBlob>(`blobs/${manifest.config.digest}`, ['*/*']);
  const platforms = chosen ? linux.map(({ platform }) => platform) : [blob];
  return {
    entrypoint: blob.config?.Entrypoint ?? [],
    cmd: blob.config?.Cmd ?? [],
    user: blob.config?.User || null,
    architectures: architecturesOf(platforms),
  };
}

function architecturesOf(platforms: readonly (Platform | undefined)[]): ('x86' | 'arm')[] {
  const known = platforms.flatMap((one) => ARCHITECTURES[one?.architecture ?? ''] ?? []);
  return [...new Set(known)];
}

/** Requests about one image, which share the authorization that the registry grants. */
class Registry {
  readonly #outgoing: Outgoing;
  readonly #image: ImageReference;
  readonly #auth: RegistryAuth | null;
  readonly #signal: AbortSignal;
  #authorization: string | null = null;

  constructor(
    outgoing: Outgoing,
    image: ImageReference,
    auth: RegistryAuth | null,
    signal: AbortSignal,
  ) {
    this.#outgoing = outgoing;
    this.#image = image;
    this.#auth = auth;
    this.#signal = signal;
  }

  async json<T>(path: string, accept: readonly string[]): Promise<T> {
    const url = `${this.#image.origin}/v2/${this.#image.name}/${path}`;
    let response = await this.#get(url, accept);
    if (response.status === 401 && this.#authorization === null) {
      const challenge = response.header('www-authenticate') ?? '';
      this.#authorization = await this.#authorize(challenge);
      response = await this.#get(url, accept);
    }
    return readJson(response) as T;
  }

  #get(url: string, accept: readonly string[]): Promise<OutgoingAnswer> {
    const headers: Record<string, string> = { accept: accept.join(', ') };
    if (this.#authorization) headers.authorization = this.#authorization;
    return this.#ask(url, headers);
  }

  async #authorize(challenge: string): Promise<string> {
    if (/^basic/i.test(challenge)) {
      if (!this.#auth) throw new RegistryError('credentials are needed', 401);
      return basic(this.#auth);
    }
    const field = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1];
    const realm = field('realm');
    if (!/^bearer/i.test(challenge) || !realm) {
      throw new RegistryError('the registry asks for an unknown kind of credentials', 401);
    }
    const url = this.#realm(realm);
    const service = field('service');
    if (service) url.searchParams.set('service', service);
    url.searchParams.set('scope', `repository:${this.#image.name}:pull`);
    const headers: Record<string, string> = this.#auth ? { authorization: basic(this.#auth) } : {};
    const answer = readJson(await this.#ask(url, headers));
    const { token, access_token: other } = answer as { token?: string; access_token?: string };
    return `Bearer ${token ?? other ?? ''}`;
  }

  /** The token endpoint that the registry names. The password must not travel less safely than to the registry. */
  #realm(text: string): URL {
    const { origin } = this.#image;
    if (!URL.canParse(text, origin)) throw new RegistryError(`the realm ${text} is not a URL`, 401);
    const url = new URL(text, origin);
    if (url.protocol === 'https:' || url.origin === origin) return url;
    const own = new URL(origin);
    if (own.protocol === url.protocol && own.hostname === url.hostname) return url;
    throw new RegistryError(`the registry sends credentials to ${url.origin}, unencrypted`, 401);
  }

  #ask(url: string | URL, headers: Readonly<Record<string, string>>): Promise<OutgoingAnswer> {
    return this.#outgoing.get(url, { headers, maxBytes: MAX_BYTES, signal: this.#signal });
  }
}

function readJson({ status, body }: OutgoingAnswer): unknown {
  if (status < 200 || status > 299) {
    throw new RegistryError(`the registry answers ${status}`, status);
  }
  const parsed: unknown = JSON.parse(body.toString());
  if (typeof parsed !== 'object' || parsed === null) throw new RegistryError('not a JSON object');
  return parsed;
}

function basic({ username, password }: RegistryAuth): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
