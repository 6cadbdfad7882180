/** The command that helps after a refusal of the server, by its message; null if none is known. */
export function nextStepAfter(message: string): string | null {
  const missing = /^(Volume|Fleet|Gateway|Secret|Export|Import|Run)s?\b.* not found/i.exec(message);
  if (missing) return LISTS[missing[1]?.toLowerCase() ?? ''] ?? null;
  const [, runs] = /is in use by runs? ([a-z0-9-]+(?:, [a-z0-9-]+)*)/.exec(message) ?? [];
  return runs === undefined ? null : `dstack stop ${runs.replaceAll(', ', ' ')}`;
}

const LISTS: Readonly<Record<string, string>> = {
  volume: 'dstack volume list',
  fleet: 'dstack fleet list',
  gateway: 'dstack gateway list',
  secret: 'dstack secret list',
  export: 'dstack export list',
  import: 'dstack import list',
  run: 'dstack ps --all',
};
