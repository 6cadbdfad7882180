import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SECOND } from '../model/values.ts';
import { withPastTimes } from './past-times.ts';

const NOW = 1_800_000_000 * SECOND;
const AHEAD = NOW + 3600 * SECOND;
const SINCE = NOW - 60 * SECOND;
const ctx = { now: NOW, steadySince: SINCE, newId: () => 'id', settings: {} as never };

/** Inputs of passes and explanations. */
const ROOTS = [
  'RunSnapshot',
  'PlacementSnapshot',
  'InstanceSnapshot',
  'FleetSnapshot',
  'GroupSnapshot',
  'VolumeSnapshot',
  'GatewaySnapshot',
];

/** Times that may lie ahead, each bounded by the rule that sets it, and those that no deadline uses. */
const MAY_LIE_AHEAD = new Set([
  ...['nextPassAt', 'nextTriggeredAt', 'coolsUntil', 'expiresAt', 'renewsAt'],
  // Computed anew from times that are corrected.
  ...['startsAt', 'promisedAt'],
  ...['lastProcessedAt', 'deletedAt'],
  // A person has chosen it.
  'until',
  // Counted from the beginning of a drain, which is corrected.
  ...['interruptAt', 'endsAt'],
]);

interface Field {
  readonly name: string;
  readonly type: string;
}

interface Shape {
  readonly parents: string;
  readonly fields: readonly Field[];
}

const modelDir = join(import.meta.dirname, '../model');
const source = readdirSync(modelDir)
  .filter((name) => name.endsWith('.ts') && !name.includes('.test.'))
  .map((name) => readFileSync(join(modelDir, name), 'utf8'))
  .join('\n')
  .replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');

const shapes = new Map<string, Shape>(
  [...source.matchAll(/export interface (\w+)(?:<[^>]*>)?([^{]*)\{([\s\S]*?)\n\}/g)].map(
    ([, name = '', parents = '', body = '']) => [name, { parents, fields: fieldsIn(body) }],
  ),
);

function fieldsIn(body: string): Field[] {
  return [...body.matchAll(/^ {2}readonly (\w+)\??:([^;]*);/gm)].map(
    ([, name = '', type = '']) => ({ name, type }),
  );
}

type Path = readonly string[];

/** Paths to all timestamps below a type; `[]` stands for a list, `{}` for a map. */
function pathsIn(type: string, seen: readonly string[] = []): Path[] {
  if (seen.includes(type)) return [];
  const shape = shapes.get(type);
  if (!shape) return [];
  const own = shape.fields.flatMap(({ name, type: text }) =>
    pathsOf(text, [...seen, type]).map((path) => [name, ...path]),
  );
  const parents = [...shapes.keys()].filter((one) => named(shape.parents, one));
  return [...own, ...parents.flatMap((one) => pathsIn(one, [...seen, type]))];
}

function pathsOf(text: string, seen: readonly string[]): Path[] {
  const map = /Record</.test(text) ? ['{}'] : [];
  const list = /\[\]/.test(text) ? ['[]'] : [];
  const below = [...map, ...list];
  const [pick, picked = '', names = ''] = /Pick<(\w+), ([^>]*)>/.exec(text) ?? [];
  if (pick !== undefined) {
    const paths = pathsIn(picked, seen).filter(([name]) => names.includes(`'${name}'`));
    const others = pathsOf(text.replace(pick, ''), seen);
    return [...paths.map((path) => [...below, ...path]), ...others];
  }
  if (named(text, 'Timestamp')) return [below];
  const types = [...shapes.keys()].filter((one) => named(text, one));
  return types.flatMap((one) => pathsIn(one, seen).map((path) => [...below, ...path]));
}

const named = (text: string, type: string) => new RegExp(`\\b${type}\\b`).test(text);

function valueAt(path: Path, time: number): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return time;
  const inner = valueAt(rest, time);
  if (first === '[]') return [null, inner];
  return first === '{}' ? { any: inner } : { other: 1, [first]: inner };
}

describe.each(ROOTS)('in a %s', (root) => {
  const paths = pathsIn(root).filter((path) => !MAY_LIE_AHEAD.has(path.at(-1) ?? ''));

  it('there are times that have passed', () => {
    expect(paths.length).toBeGreaterThan(0);
  });

  it.each(paths.map((path) => [path.join('.'), path] as const))('%s is corrected', (_, path) => {
    const mended = withPastTimes(valueAt(path, AHEAD) as object, ctx);
    expect(mended).toEqual(valueAt(path, SINCE));
    const right = valueAt(path, NOW) as object;
    expect(withPastTimes(right, ctx)).toBe(right);
  });
});
