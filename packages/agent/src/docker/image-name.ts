import { splitImageName } from '@dstack/contract/image-name';

/** An image reference with the tag that Docker assumes. A registry's port is not a tag. */
export function withTag(name: string): string {
  if (name.includes('@')) return name;
  const last = name.slice(name.lastIndexOf('/') + 1);
  return last.includes(':') ? name : `${name}:latest`;
}

/** Whether the reference means the newest image, so that a local copy may be outdated. */
export function isMoving(reference: string): boolean {
  return !reference.includes('@') && reference.endsWith(':latest');
}

/** The host of the registry, as credentials name it. */
export function registryOf(reference: string): string {
  return splitImageName(reference).registryHost ?? 'https://index.docker.io/v1/';
}
