/**
 * Providers' own API documents. No copy is in this repository: they are read from the folder in
 * `DSTACK_PROVIDER_DOCS`, one folder per provider, as the provider publishes them.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Null: the variable is not set. Throws if it is set and the document is not there. */
export function publishedDocument(path: string): string | null {
  const { DSTACK_PROVIDER_DOCS: dir } = process.env;
  if (!dir) return null;
  const document = join(dir, path);
  if (existsSync(document)) return document;
  throw new Error(
    `${document} is missing: DSTACK_PROVIDER_DOCS must hold the providers' documents`,
  );
}

/** The name of the one test of a suite that has no document; it prints why. */
export function unjudged(provider: string): [string, () => void] {
  const name = `${provider} is not judged by its document, as DSTACK_PROVIDER_DOCS is not set`;
  return [name, () => console.warn(name)];
}
