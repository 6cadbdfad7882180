/** The parts of an image's name from which Docker derives the registry. */
export interface ImageNameParts {
  /** Host, with its port if it has one; null: the name does not contain a registry. */
  readonly registryHost: string | null;
  /** The path, tag and digest within the registry. */
  readonly rest: string;
}

/**
 * Splits an image's name as Docker does: the part before the first slash is a registry's host if it
 * has a dot or a colon, or is `localhost`.
 */
export function splitImageName(image: string): ImageNameParts {
  const slash = image.indexOf('/');
  const first = image.slice(0, Math.max(slash, 0));
  const isHost = /[.:]/.test(first) || first === 'localhost';
  if (!isHost) return { registryHost: null, rest: image };
  return { registryHost: first, rest: image.slice(slash + 1) };
}
