import { splitImageName } from '@dstack/contract/image-name';

/** Where an image is stored. `reference`: its tag or digest. */
export interface ImageReference {
  /** `https://…` of the registry; plain HTTP on loopback, as Docker does. */
  readonly origin: string;
  readonly name: string;
  readonly reference: string;
}

const HUB = 'registry-1.docker.io';
const HUB_NAMES = ['docker.io', 'index.docker.io'];

/** Parses a name like Docker; null if it is invalid. */
export function parseImageReference(image: string): ImageReference | null {
  const { registryHost, rest } = splitImageName(image);
  const isHub = registryHost === null || HUB_NAMES.includes(registryHost);
  const [, path, tag, digest] =
    /^([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(
      rest,
    ) ?? [];
  if (!path) return null;
  const host = isHub ? HUB : registryHost;
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/i.test(host)) return null;
  const name = isHub && !path.includes('/') ? `library/${path}` : path;
  const scheme = /^(localhost|127\.[\d.]+)(:\d+)?$/.test(host) ? 'http' : 'https';
  return { origin: `${scheme}://${host}`, name, reference: digest ?? tag ?? 'latest' };
}
