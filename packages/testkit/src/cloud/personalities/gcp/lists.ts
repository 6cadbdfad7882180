/** Pages of Compute Engine's lists. */
import type { CloudCall } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';

const MOST = 500;
/** The only filters that are known here: whether there is a label, and the name. */
const LABELLED = /^labels\.([a-z0-9_-]+):\*$/;
const NAMED = /^name = ([a-z0-9-]+)$/;

function pageOf<T>({ query }: CloudCall, all: readonly T[]) {
  const size = Math.min(MOST, Number(query.get('maxResults') ?? MOST));
  const from = Number(query.get('pageToken') ?? 0);
  const next = from + size < all.length ? { nextPageToken: String(from + size) } : {};
  return { items: all.slice(from, from + size), next };
}

export function paged<T>(
  call: CloudCall,
  kind: string,
  all: readonly T[],
  form: (item: T) => object,
): CloudAnswer {
  const { items, next } = pageOf(call, all);
  return { status: 200, body: { kind, id: kind, items: items.map(form), ...next } };
}

export interface ScopedItem {
  /** Like `zones/us-central1-a`. */
  readonly scope: string;
  readonly form: object;
}

/** `unreachable`: zones that do not answer, which is an error unless the request allows it. */
export function aggregated(
  call: CloudCall,
  kind: string,
  all: readonly ScopedItem[],
  unreachable: ReadonlySet<string> = new Set(),
): CloudAnswer {
  if (unreachable.size > 0 && call.query.get('returnPartialSuccess') !== 'true') {
    throw new Refusal('provider_error', 'a zone does not answer');
  }
  const { items, next } = pageOf(
    call,
    all.filter(({ form }) => isWanted(form, call)),
  );
  const scopes = Map.groupBy(items, ({ scope }) => scope);
  const unreachables = [...unreachable].map(
    (zone) => `projects/${call.params.project}/zones/${zone}`,
  );
  return {
    status: 200,
    body: {
      ...{ kind: `compute#${kind.replace(/s$/, '')}AggregatedList`, id: kind, ...next },
      items: Object.fromEntries(
        [...scopes].map(([scope, of]) => [scope, { [kind]: of.map(({ form }) => form) }]),
      ),
      ...(unreachables.length > 0 && { unreachables }),
    },
  };
}

function isWanted(form: ScopedItem['form'], { query }: CloudCall): boolean {
  const filter = query.get('filter');
  if (filter === null) return true;
  const { name, labels = {} } = form as { readonly name?: string; readonly labels?: object };
  const [, label] = LABELLED.exec(filter) ?? [];
  if (label !== undefined) return Object.hasOwn(labels, label);
  const [, wanted] = NAMED.exec(filter) ?? [];
  if (wanted !== undefined) return wanted === name;
  throw new Refusal('invalid', `Invalid value for field 'filter': ${filter}`);
}
