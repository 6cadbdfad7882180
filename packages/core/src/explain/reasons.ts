/** Turns the rows of `considered` into reasons, the most useful first. */
import type { ExplainRule } from '@dstack/contract/wire';
import { type Reason, type Row, reason } from './diagnosis.ts';

/** Rules that can pass by themselves, most likely first; then those that a changed key fixes. */
const NEAREST: readonly ExplainRule[] = [
  'held',
  'busy',
  'gpus_taken',
  'volume_in_use',
  'local_limit',
  'nodes.max',
  'not_ready',
  'cordoned',
  'maintenance',
  'reconnecting',
  'not_available',
  'no_quota',
  'host_fault',
  'unreachable',
  'unhealthy',
  'backend_timeout',
  'backend_error',
  'backend_refused',
  'site',
  // These do not pass, but the excluded offers fit otherwise.
  'no_machines',
  'max_price',
  'spot',
  'excluded',
  'regions',
  'availability_zones',
  'instance_types',
  'backends',
  'volume_place',
  'instances',
  'creation_policy',
];

/** Reasons only if there are no others; rows of offers are more specific. */
const BACKGROUND: readonly ExplainRule[] = ['fixed_size', 'other_fleet', 'ending'];
export const OF_OFFERS: readonly ExplainRule[] = ['no_offers', 'not_available', 'no_machines'];

export function isBackground({ kind, rule, asked }: Row): boolean {
  // Too few fitting hosts for the gang is always a reason.
  if (rule === 'fixed_size' && asked !== null) return false;
  if (rule === null || BACKGROUND.includes(rule)) return true;
  return kind === 'fleet' && OF_OFFERS.includes(rule);
}

/** A rule that alone excludes an offer weighs more than one of several. */
export function weight(row: Row): number {
  const { kind, rule, verdict, offer } = row;
  if (rule === 'fixed_size' && !isBackground(row)) return -1;
  const known = rule === null ? -1 : NEAREST.indexOf(rule);
  const near = known < 0 ? NEAREST.length : known;
  return (verdict === 'full' ? 0 : 100) + (kind === 'offers' && offer === null ? 50 : 0) + near;
}

/** One reason per rule, counted over all rows, with the values of the weightiest row. */
export function reasonsOf(rows: readonly Row[]): Reason[] {
  const excluding = rows.filter((one) => one.rule !== null);
  const specific = excluding.filter((one) => !isBackground(one));
  const used = specific.length > 0 ? specific : excluding;
  const byRule = new Map<ExplainRule, Row[]>();
  for (const one of used.toSorted((a, b) => weight(a) - weight(b))) {
    if (one.rule === null) continue;
    byRule.set(one.rule, [...(byRule.get(one.rule) ?? []), one]);
  }
  return [...byRule].map(([rule, own]) => {
    const [first] = own as [Row, ...Row[]];
    const counted = own.filter((one) => one.kind !== 'fleet');
    const count = counted.reduce((sum, one) => sum + (one.count ?? 1), 0) || first.count;
    const { asked, has } = first;
    return reason(rule, rowText(first), { asked, has, count });
  });
}

/** A row as a sentence of its own. */
function rowText(row: Row): string {
  const { kind, fleet, instance, backend, text } = row;
  if (instance !== null) return `${instance} ${text}`;
  const about = kind === 'offers' && fleet !== null ? [fleet, backend] : [fleet];
  return [...about.filter((name) => name !== null), text].join(': ');
}
