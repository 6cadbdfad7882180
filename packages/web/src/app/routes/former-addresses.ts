/** Addresses of the official UI, and where their content is here; `$name` stands for one part. */
const FORMER: readonly (readonly [from: string, to: string])[] = [
  ['/overview', '/'],
  ['/auth/token', '/'],
  ['/models', '/services'],
  ['/fleets/topology', '/fleets'],
  ['/projects/add', '/projects#new'],
  ['/projects/$project/events', '/events?project=$project'],
  ['/projects/$project/backends/$backend', '/projects/$project/backends'],
  ['/projects/$project/gateways/add', '/gateways?project=$project#new'],
  ['/projects/$project/runs/$run/jobs/$job', '/projects/$project/runs/$run/logs?job=$job'],
  ['/projects/$project/runs/$run/jobs/$job/$tab', '/projects/$project/runs/$run/$tab?job=$job'],
  ['/users/add', '/users#new'],
  ['/users/$user/edit', '/users/$user'],
];

/** The address to go to instead; null: this one is used here. */
export function formerAddress(
  path: string,
  search: Readonly<Record<string, unknown>>,
): string | null {
  const parts = path.replace(/\/$/, '').split('/');
  for (const [from, to] of FORMER) {
    const names = matched(from.split('/'), parts);
    if (names !== null) return to.replace(/\$(\w+)/g, (_, name: string) => names.get(name) ?? '');
  }
  const project = search.project_name;
  return typeof project === 'string' ? `${path}?project=${encodeURIComponent(project)}` : null;
}

/** The parts of the address that stand for the names of the pattern; null: it is another address. */
function matched(
  pattern: readonly string[],
  parts: readonly string[],
): ReadonlyMap<string, string> | null {
  if (pattern.length !== parts.length) return null;
  const names = new Map<string, string>();
  for (const [index, part] of parts.entries()) {
    const expected = pattern[index] ?? '';
    if (expected.startsWith('$')) names.set(expected.slice(1), part);
    else if (expected !== part) return null;
  }
  return names;
}
