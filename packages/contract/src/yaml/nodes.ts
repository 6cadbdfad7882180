import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type Scalar,
} from 'yaml';
import { isAnyNumber, numberText } from '../grammar/number-text.ts';
import { readBoolean, readFloat, readInt, resolvePlain } from './plain-scalar.ts';

/** The expansion of `!!` in tags. */
export const STANDARD_TAG = 'tag:yaml.org,2002:';

/** The target of each alias. */
export type AliasTargets = ReadonlyMap<Alias, Node>;

/** The node to show for a child (its key, or the item itself) and the node of its value. */
export function findChild(
  node: Node | null,
  key: PropertyKey,
  targets: AliasTargets,
): [shown: Node | null, value: Node | null] | undefined {
  if (isSeq(node)) {
    const item = node.items[Number(key)] as Node | undefined;
    return item && [item, item];
  }
  if (!isMap(node)) return undefined;
  const pairs = node.items as Pair<Node, Node | null>[];
  const pair = pairs.findLast((item) => keyText(item.key) === String(key));
  if (pair) return [pair.key, pair.value];
  for (const item of pairs.filter((candidate) => isMergeKey(candidate.key))) {
    const merged = isSeq(item.value) ? (item.value.items as Node[]) : [item.value];
    for (const source of merged) {
      const target = isAlias(source) ? (targets.get(source) ?? null) : source;
      const found = findChild(target, key, targets);
      if (found) return found;
    }
  }
  return undefined;
}

function keyText(node: Node | null): string | undefined {
  if (!isScalar(node)) return undefined;
  const value = readTagged(node);
  return isAnyNumber(value) ? numberText(value) : String(value);
}

/** `<<`, unquoted. */
export function isMergeKey(node: Node | null): boolean {
  return isScalar(node) && node.type === 'PLAIN' && node.source === '<<';
}

/** The value of a scalar, by its tag if it has one. */
export function readTagged(node: Scalar): unknown {
  const text = String(node.value ?? '');
  switch (node.tag) {
    case `${STANDARD_TAG}str`:
    case '!':
      return text;
    case `${STANDARD_TAG}int`:
      return readInt(text);
    case `${STANDARD_TAG}float`:
      return readFloat(text);
    case `${STANDARD_TAG}bool`:
      return readBoolean(text);
    case `${STANDARD_TAG}null`:
      return null;
    default:
      return node.type === 'PLAIN' || node.tag === `${STANDARD_TAG}timestamp`
        ? resolvePlain(text)
        : text;
  }
}
