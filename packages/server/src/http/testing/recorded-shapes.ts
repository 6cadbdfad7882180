/** Compares recorded answers with ours: which fields exist and their types, not their values. */

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Maps whose keys are data. */
const FREE = /\.(env|tags|ports|backend_data|config)$/;

/** Sentences about fields that only one side has, or that have another type. */
export function shapeDifferences(theirs: Json, ours: Json, at = ''): string[] {
  if (theirs === null || ours === null) return [];
  if (Array.isArray(theirs) && Array.isArray(ours)) {
    const [their, our] = [theirs[0], ours[0]];
    if (their === undefined || our === undefined) return [];
    return shapeDifferences(their as Json, our as Json, `${at}[]`);
  }
  if (kindOf(theirs) !== kindOf(ours)) return [`${at}: ${kindOf(ours)}, not ${kindOf(theirs)}`];
  if (typeof theirs !== 'object' || typeof ours !== 'object' || FREE.test(at)) return [];
  const [their, our] = [theirs, ours] as [Record<string, Json>, Record<string, Json>];
  // Configurations of another kind: the first run of our list differs.
  if (typeof their.type === 'string' && their.type !== our.type) return [];
  const missing = Object.keys(their).filter((key) => !(key in our));
  const added = Object.keys(our).filter((key) => !(key in their));
  return [
    ...missing.map((key) => `${at}.${key}: missing`),
    ...added.map((key) => `${at}.${key}: ours`),
    ...Object.keys(their).flatMap((key) =>
      key in our ? shapeDifferences(their[key] ?? null, our[key] ?? null, `${at}.${key}`) : [],
    ),
  ];
}

function kindOf(value: Json): string {
  return Array.isArray(value) ? 'list' : typeof value;
}

/** Ids differ between servers: maps our ids to the recorded ones. */
export class Ids {
  readonly #ours = new Map<string, string>();

  learn(theirs: Json, ours: Json): void {
    if (typeof theirs === 'string' && typeof ours === 'string') {
      if (UUID.test(theirs) && UUID.test(ours)) this.#ours.set(theirs, ours);
      return;
    }
    if (theirs === null || ours === null || typeof theirs !== 'object') return;
    if (typeof ours !== 'object') return;
    const [their, our] = [theirs, ours] as [Record<string, Json>, Record<string, Json>];
    for (const key of Object.keys(their)) {
      if (key in our) this.learn(their[key] ?? null, our[key] ?? null);
    }
  }

  translate<T>(recorded: T): T {
    const text = JSON.stringify(recorded);
    return JSON.parse(text.replaceAll(UUIDS, (id) => this.#ours.get(id) ?? id)) as T;
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const UUIDS = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
