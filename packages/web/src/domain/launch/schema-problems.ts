import { nearest } from '@dstack/contract/nearest';
import type { SourceProblem } from './configuration-source.ts';
import { type ConfigurationSchema, isRunType, LAUNCH_TYPES, type RunType } from './json-schema.ts';

const MOST = 20;

/**
 * Unknown keys and words, while the user types. Everything else is judged by the server, whose plan is
 * asked for anyway.
 */
export function schemaProblems(
  schema: ConfigurationSchema,
  value: Readonly<Record<string, unknown>>,
  lineOf: (path: readonly PropertyKey[]) => number,
): readonly SourceProblem[] {
  const { type } = value;
  if (!isRunType(type)) {
    const message =
      type === undefined
        ? `type: is missing: ${LAUNCH_TYPES.join(', ')}`
        : `type: a run is one of ${LAUNCH_TYPES.join(', ')}, not ${JSON.stringify(type)}`;
    const path = ['type'];
    return [{ line: lineOf(type === undefined ? [] : path), message, path }];
  }
  const problems: SourceProblem[] = [];
  const add = (path: readonly PropertyKey[], text: string) => {
    if (problems.length < MOST) {
      problems.push({ line: lineOf(path), message: `${path.join('.')}: ${text}`, path });
    }
  };
  checkMap(schema, type, value, [], add);
  return problems;
}

function checkMap(
  schema: ConfigurationSchema,
  type: RunType,
  value: object,
  path: readonly PropertyKey[],
  add: (path: readonly PropertyKey[], text: string) => void,
): void {
  const schemas = schema.at(type, path);
  const isClosed =
    schemas.some(({ properties }) => properties !== undefined) &&
    schemas.every(({ additionalProperties: more }) => more === undefined || more === false);
  for (const [key, part] of Object.entries(value)) {
    const inner = [...path, key];
    if (isClosed && !schemas.some(({ properties }) => properties && key in properties)) {
      add(inner, `is not a known key${suggestion(key, schemas.flatMap(keysOf))}`);
      continue;
    }
    if (typeof part === 'object' && part !== null && !Array.isArray(part)) {
      checkMap(schema, type, part, inner, add);
    } else if (typeof part === 'string') {
      checkWord(schema, type, part, inner, add);
    }
  }
}

const keysOf = ({ properties }: { readonly properties?: object }) => Object.keys(properties ?? {});

/** Only where nothing but words is allowed. */
function checkWord(
  schema: ConfigurationSchema,
  type: RunType,
  text: string,
  path: readonly PropertyKey[],
  add: (path: readonly PropertyKey[], text: string) => void,
): void {
  const schemas = schema.at(type, path).filter((one) => one.type !== 'null');
  const onlyWords = schemas.length > 0 && schemas.every((one) => one.enum !== undefined);
  const words = schema.choices(type, path);
  if (onlyWords && !words.includes(text)) add(path, `must be one of ${words.join(', ')}`);
}

/** `: did you mean 'commands'?` */
function suggestion(key: string, known: readonly string[]): string {
  const close = nearest(key, known);
  return close === undefined ? '' : `: did you mean \`${close}\`?`;
}
