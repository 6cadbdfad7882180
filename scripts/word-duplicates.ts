/** A name that several packages export, with a file of each. */
export interface DuplicateName {
  readonly name: string;
  readonly files: readonly string[];
}

/** Tests and their helpers are left out: they may use names of the product. */
export function duplicateNames(
  exported: readonly { readonly file: string; readonly name: string }[],
): DuplicateName[] {
  const places = new Map<string, Map<string, string>>();
  for (const { file, name } of exported) {
    const owner = packageOf(file);
    if (owner === null) continue;
    const files = places.get(name) ?? new Map<string, string>();
    places.set(name, files.set(owner, file));
  }
  return [...places]
    .filter(([, files]) => files.size > 1)
    .map(([name, files]) => ({ name, files: [...files.values()] }));
}

function packageOf(file: string): string | null {
  if (/\/testing|\.(test|suite)\.ts$|^packages\/testkit\//.test(file)) return null;
  return /^packages\/([\w-]+)\/src\//.exec(file)?.[1] ?? null;
}
