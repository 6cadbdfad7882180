/**
 * Equality of JSON documents as the wire defines it: an absent field equals null, and the order of
 * keys does not matter. Lists are compared in order.
 */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a == null || b == null) return a == null && b == null;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => sameJson(item, b[index]))
    );
  }
  if (typeof a !== 'object' || typeof b !== 'object') return a === b;
  return changedKeys(a, b).length === 0;
}

/** Keys whose values differ, in order of first appearance. */
export function changedKeys(a: object, b: object): string[] {
  const before = a as Record<string, unknown>;
  const after = b as Record<string, unknown>;
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].filter((key) => !sameJson(before[key], after[key]));
}
