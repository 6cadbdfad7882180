import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import { isAnyNumber, numberText } from '../grammar/number-text.ts';
import { Problem } from '../grammar/problem.ts';
import { findChild, isMergeKey, readTagged, STANDARD_TAG } from './nodes.ts';
import { explainSyntaxError } from './syntax-error.ts';

/** A place in the text, both numbers from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** An error that makes the text an invalid document. */
export interface YamlError extends Position {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** An unquoted number, as written. */
export interface WrittenNumber {
  readonly path: readonly PropertyKey[];
  readonly source: string;
}

/** A key that occurs twice in a map; the later one counts. */
export interface RepeatedKey extends Position {
  readonly path: readonly PropertyKey[];
}

export interface LoadedYaml {
  /** Plain maps and lists; scalars are strings, booleans, null, dates and the three kinds of numbers. */
  readonly value: unknown;
  readonly numbers: readonly WrittenNumber[];
  readonly repeated: readonly RepeatedKey[];
  /** The place of a path in the document: its key if it has one, otherwise its value. */
  locate(path: readonly PropertyKey[]): Position;
}

const MAX_DEPTH = 64;

/**
 * The maximum number of values repeated by aliases and merges: a hundred characters could mean a
 * billion.
 */
const MAX_REPEATED = 10_000;

export interface YamlOptions {
  /** The most tokens: the cost of reading grows with tokens rather than with the length. */
  readonly maxTokens?: number;
}

/**
 * Reads one document like PyYAML's `safe_load` (YAML 1.1), and distinguishes floats from integers.
 */
export function loadYaml(text: string, options: YamlOptions = {}): LoadedYaml | YamlError {
  const { maxTokens } = options;
  if (maxTokens !== undefined && hasMoreTokens(text, maxTokens)) {
    const message = `is too large: the text has more than ${maxTokens} words and signs`;
    return { path: [], line: 1, column: 1, message };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    schema: 'failsafe',
    version: '1.1',
    merge: false,
    uniqueKeys: false,
    prettyErrors: false,
    resolveKnownTags: false,
    logLevel: 'error',
    lineCounter: lines,
  });
  const [error] = document.errors;
  if (error)
    return {
      path: [],
      ...positionOf(lines, error.pos[0]),
      message: explainSyntaxError(error),
    };
  return new Loader(document, lines).load();
}

function hasMoreTokens(text: string, limit: number): boolean {
  let count = 0;
  for (const _token of new Lexer().lex(text)) {
    count += 1;
    if (count > limit) return true;
  }
  return false;
}

function positionOf(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** Thrown inside the loader only, to leave its recursion. */
class Refused extends Error {
  readonly at: YamlError;

  constructor(at: YamlError) {
    super(at.message);
    this.at = at;
  }
}

class Loader {
  private readonly document: Document;
  private readonly lines: LineCounter;
  private readonly numbers: WrittenNumber[] = [];
  private readonly repeated: RepeatedKey[] = [];
  /** Values of anchored nodes, with the number of values that each contains. */
  private readonly values = new Map<Node, { readonly value: unknown; readonly size: number }>();
  private readonly open = new Set<Node>();
  /** The latest node with each anchor, up to the current position. */
  private readonly anchors = new Map<string, Node>();
  /** The library's lookup would scan the whole document for each alias. */
  private readonly targets = new Map<Alias, Node>();
  /** The number of values read so far, including repeated ones. */
  private size = 0;
  private repeatedValues = 0;

  constructor(document: Document, lines: LineCounter) {
    this.document = document;
    this.lines = lines;
  }

  load(): LoadedYaml | YamlError {
    try {
      const root = this.document.contents as Node | null;
      const value = root === null ? null : this.read(root, []);
      return {
        value,
        numbers: this.numbers,
        repeated: this.repeated,
        locate: (path) => this.locate(path),
      };
    } catch (error) {
      if (error instanceof Refused) return error.at;
      throw error;
    }
  }

  private read(node: Node, path: readonly PropertyKey[]): unknown {
    if (path.length > MAX_DEPTH)
      this.refuse(node, path, `is nested deeper than ${MAX_DEPTH} levels`);
    if (isAlias(node)) return this.readAlias(node, path);
    this.checkTag(node, path);
    const before = this.size;
    this.size += 1;
    if (node.anchor) this.anchors.set(node.anchor, node);
    const value = isScalar(node) ? this.readScalar(node, path) : this.readCollection(node, path);
    if (node.anchor) this.values.set(node, { value, size: this.size - before });
    return value;
  }

  private readCollection(node: Node, path: readonly PropertyKey[]): unknown {
    this.open.add(node);
    const value = isMap(node)
      ? this.readMap(node, path)
      : isSeq(node)
        ? node.items.map((item, index) => this.read(item as Node, [...path, index]))
        : this.refuse(node, path, 'is of a kind that is not supported');
    this.open.delete(node);
    return value;
  }

  private readAlias(alias: Alias, path: readonly PropertyKey[]): unknown {
    const target = this.targetOf(alias);
    if (!target)
      return this.refuse(alias, path, `uses the anchor '${alias.source}', which is not set before`);
    if (this.open.has(target))
      return this.refuse(alias, path, `contains itself ('*${alias.source}')`);
    return this.repeat(target, alias, path);
  }

  private targetOf(alias: Alias): Node | undefined {
    const target = this.anchors.get(alias.source);
    if (target) this.targets.set(alias, target);
    return target;
  }

  /** The value of a node that was read before. */
  private repeat(target: Node, at: Node, path: readonly PropertyKey[]): unknown {
    const known = this.values.get(target);
    // A map written in place after `<<`, without an alias.
    if (known === undefined) return this.read(target, path);
    this.countRepeated(known.size, at, path);
    return known.value;
  }

  private countRepeated(values: number, at: Node, path: readonly PropertyKey[]): void {
    this.size += values;
    this.repeatedValues += values;
    if (this.repeatedValues <= MAX_REPEATED) return;
    this.refuse(at, path, `repeats more than ${MAX_REPEATED} values by aliases and merges`);
  }

  private readScalar(node: Scalar, path: readonly PropertyKey[]): unknown {
    const value = readTagged(node);
    if (value instanceof Problem) return this.refuse(node, path, value.message);
    if (isAnyNumber(value) && node.source !== undefined) {
      this.numbers.push({ path, source: node.source });
    }
    return value;
  }

  private readMap(map: YAMLMap, path: readonly PropertyKey[]): Record<string, unknown> {
    const own = new Map<string, unknown>();
    const merged = new Map<string, unknown>();
    for (const pair of map.items as Pair<Node, Node | null>[]) {
      if (isMergeKey(pair.key)) {
        for (const [key, value] of this.readMerged(pair.value, path)) merged.set(key, value);
        continue;
      }
      const key = this.readKey(pair.key, path);
      if (own.has(key))
        this.repeated.push({ path: [...path, key], ...this.positionOfNode(pair.key) });
      own.set(key, pair.value === null ? null : this.read(pair.value, [...path, key]));
    }
    return toObject(new Map([...merged, ...own]));
  }

  /** `<<: *a` or `<<: [*a, *b]`; the first of several takes precedence. */
  private readMerged(node: Node | null, path: readonly PropertyKey[]): [string, unknown][] {
    const target = isAlias(node) ? this.targetOf(node) : node;
    if (isMap(target)) return this.mergedEntries(target, node ?? target, path);
    if (isSeq(target)) {
      return [...(target.items as Node[])].reverse().flatMap((item) => this.readMerged(item, path));
    }
    return this.refuse(
      node ?? (this.document.contents as Node),
      path,
      "has a '<<' that refers to no map",
    );
  }

  private mergedEntries(map: YAMLMap, at: Node, path: readonly PropertyKey[]): [string, unknown][] {
    if (this.open.has(map)) return this.refuse(at, path, "has a '<<' that refers to itself");
    return Object.entries(this.repeat(map, at, path) as object);
  }

  private readKey(node: Node | null, path: readonly PropertyKey[]): string {
    if (node === null) return this.refuse(node, path, 'has an empty key');
    const key = this.read(node, path);
    if (typeof key === 'string') return key;
    if (isAnyNumber(key)) {
      this.numbers.pop();
      return numberText(key);
    }
    // No key is a boolean, and `on` is a key of ours.
    if (key === true && isScalar(node) && node.source === 'on') return node.source;
    const written = isScalar(node) ? `'${node.source}'` : 'a list or map';
    const kind = typeof key === 'boolean' ? 'a boolean' : key === null ? 'null' : 'no text';
    return this.refuse(
      node,
      path,
      `has the key ${written}, which YAML reads as ${kind}: put it in quotes`,
    );
  }

  private checkTag(node: Node, path: readonly PropertyKey[]): void {
    const tag = (node as { tag?: string }).tag;
    if (tag === undefined || tag === '!') return;
    const known = isMap(node)
      ? ['map']
      : isSeq(node)
        ? ['seq']
        : ['str', 'int', 'float', 'bool', 'null', 'timestamp'];
    if (known.some((name) => tag === STANDARD_TAG + name)) return;
    this.refuse(
      node,
      path,
      `has the tag '${tag.replace(STANDARD_TAG, '!!')}', which is not allowed here`,
    );
  }

  private refuse(node: Node | null, path: readonly PropertyKey[], message: string): never {
    throw new Refused({ path, message, ...this.positionOfNode(node) });
  }

  private positionOfNode(node: Node | null): Position {
    return positionOf(this.lines, node?.range?.[0] ?? 0);
  }

  private locate(path: readonly PropertyKey[]): Position {
    let node = this.document.contents as Node | null;
    let shown = node;
    for (const key of path) {
      const target = isAlias(node) ? (this.targets.get(node) ?? null) : node;
      const found = findChild(target, key, this.targets);
      if (!found) break;
      [shown, node] = found;
    }
    return this.positionOfNode(shown);
  }
}

/** A plain object; a key named `__proto__` is an ordinary key. */
function toObject(entries: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [key, value] of entries) {
    Object.defineProperty(object, key, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return object;
}
