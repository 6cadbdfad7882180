/** Why a fleet does not take a gang, as a clause of one sentence. */
import type { ExplainRule } from '@dstack/contract/wire';
import type { Row } from './diagnosis.ts';
import { isBackground, OF_OFFERS, weight } from './reasons.ts';
import { listText, pluralText, UNFIT } from './texts.ts';

/** The most fleets, groups of instances and backends in one sentence. */
const CLAUSES = 3;

/** Fleets that can take the gang later come first. */
export function fleetClauses(names: readonly string[], rows: readonly Row[]): string[] {
  const clauses = names
    .map((name) => fleetClause(name, rows))
    .filter((clause) => clause !== null)
    .sort((a, b) => a.rank - b.rank)
    .map((clause) => clause.text);
  const more = clauses.length - CLAUSES;
  const rest =
    more === 1 ? '1 more fleet does not take it now' : `${more} more fleets do not take it now`;
  return more > 0 ? [...clauses.slice(0, CLAUSES), rest] : clauses;
}

/** Rules under which a fleet is called full: other work uses or reserves what would fit. */
const FULL: readonly ExplainRule[] = ['held', 'busy', 'gpus_taken', 'local_limit', 'nodes.max'];

interface Clause {
  readonly rank: number;
  readonly text: string;
}

/** Null for a fleet that the run does not name. */
function fleetClause(name: string, rows: readonly Row[]): Clause | null {
  const own = rows.filter((one) => one.fleet === name);
  const [head] = own;
  if (!head || head.rule === 'other_fleet') return null;
  const isFull = head.verdict === 'full';
  const instances = own.filter((one) => one.kind === 'instance');
  const relevant = isFull ? instances.filter((one) => one.verdict !== 'never') : instances;
  // The window of a fleet is that of its instances.
  const shown = (relevant.length > 0 ? relevant : instances).filter(
    (one) => one.rule !== 'maintenance' || one.rule !== head.rule,
  );
  const parts = [
    ...instanceParts(shown),
    ...(isBackground(head) && head.rule === 'fixed_size' && instances.length > 0
      ? []
      : [head.text]),
    ...(head.rule !== null && OF_OFFERS.includes(head.rule) ? backendParts(own, rows) : []),
  ];
  // Free instances do not help nodes that lack a common site.
  const isReallyFull =
    isFull &&
    head.rule !== 'site' &&
    own.some((one) => one.rule !== null && FULL.includes(one.rule));
  const verb = isReallyFull ? 'is full' : isFull ? 'has no place now' : 'cannot take it';
  return { rank: isFull ? 0 : 1, text: `fleet ${name} ${verb} (${parts.join('; ')})` };
}

/** Groups instances with the same text; a text names everything that an instance lacks. */
function instanceParts(rows: readonly Row[]): string[] {
  const texts = new Map<string, string>();
  for (const { instance, text } of rows) {
    const key = instance ?? text;
    const known = texts.get(key);
    texts.set(key, known === undefined ? text : `${known}, ${text.replace(UNFIT, '')}`);
  }
  const byText = new Map<string, string[]>();
  for (const [key, text] of texts) {
    byText.set(text, [...(byText.get(text) ?? []), ...(key === text ? [] : [key])]);
  }
  return [...byText].slice(0, CLAUSES).map(([text, names]) => {
    if (names.length === 0) return text;
    return `${listText(names)} ${names.length === 1 ? text : pluralText(text)}`;
  });
}

/**
 * The most useful rule of each backend. Without any backend, why the server host is not used.
 */
function backendParts(own: readonly Row[], all: readonly Row[]): string[] {
  const local = all.filter((one) => one.rule === 'local_off');
  const rows = [...own, ...(own.some((one) => one.rule === 'no_backends') ? local : [])];
  const useful = new Map<string | null, Row>();
  for (const one of rows.filter(({ kind, rule }) => kind === 'offers' && rule !== null)) {
    const known = useful.get(one.backend);
    if (!known || weight(one) < weight(known)) useful.set(one.backend, one);
  }
  return [...useful.values()]
    .slice(0, CLAUSES)
    .map(({ backend, text, fleet }) =>
      backend === null || fleet === null ? text : `${backend}: ${text}`,
    );
}
