declare const __DSTACK_VERSION__: string | undefined;

/**
 * The product's version: inserted by the bundler, or read from `package.json` when run from source.
 */
export async function productVersion(): Promise<string> {
  if (typeof __DSTACK_VERSION__ === 'string') return __DSTACK_VERSION__;
  const { readFile } = await import('node:fs/promises');
  const text = await readFile(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
