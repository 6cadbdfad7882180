import { splitImageName } from '@dstack/contract/image-name';

/** An image reference with the tag that Docker would assume. A registry's port is no tag. */
export function withTag(name: string): string {
  if (name.includes('@')) return name;
  const last = name.slice(name.lastIndexOf('/') + 1);
  return last.includes(':') ? name : `${name}:latest`;
}

/** Whether the reference means whatever is newest, so that a local copy may be old. */
export function isMoving(reference: string): boolean {
  return !reference.includes('@') && reference.endsWith(':latest');
}

/** Host of the registry, as credentials name it. */
export function registryOf(reference: string): string {
  return splitImageName(reference).registryHost ?? 'https://index.docker.io/v1/';
}
