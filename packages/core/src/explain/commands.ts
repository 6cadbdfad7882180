import { shellQuote } from '@dstack/contract/shell';

/** Command line to copy, which applies the file of a run or fleet again; null if its path is unknown. */
export function applyCommand(
  { spec }: { readonly spec: { readonly configuration_path?: string | null } },
  flags: readonly string[] = [],
): string | null {
  const path = spec.configuration_path;
  // A configuration from stdin (`-`) has no file.
  if (!path || path === '-') return null;
  return ['dstack apply -f', shellQuote(path), ...flags].join(' ');
}
