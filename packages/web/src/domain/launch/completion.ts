import { cursorPlace } from './cursor-path.ts';
import { type ConfigurationSchema, isRunType, LAUNCH_TYPES, type RunType } from './json-schema.ts';

export interface Completion {
  readonly label: string;
  readonly detail: string;
  /** The text that is inserted. */
  readonly apply: string;
  readonly kind: 'property' | 'enum';
}

export interface Completions {
  readonly from: number;
  readonly options: readonly Completion[];
}

/** The keys or values that may stand at the cursor; null: none can be offered there. */
export function completionsAt(
  schema: ConfigurationSchema,
  text: string,
  offset: number,
): Completions | null {
  const place = cursorPlace(text, offset);
  if (place === null) return null;
  const type = typeOf(text);
  if (place.kind === 'value') {
    const words =
      place.path.length === 0 && place.key === 'type'
        ? LAUNCH_TYPES
        : schema.choices(type, [...place.path, place.key ?? 0]);
    return { from: place.from, options: words.map((label) => word(label)) };
  }
  const keys = [...schema.keys(type, place.path)].map(
    ([label, detail]): Completion => ({ label, detail, apply: `${label}: `, kind: 'property' }),
  );
  const words = place.path.at(-1) === 0 ? schema.choices(type, place.path).map(word) : [];
  const options = [...keys, ...words];
  return options.length === 0 ? null : { from: place.from, options };
}

const word = (label: string): Completion => ({ label, detail: '', apply: label, kind: 'enum' });

function typeOf(text: string): RunType {
  const [, type] = /^type: *([\w-]+)/m.exec(text) ?? [];
  return isRunType(type) ? type : 'task';
}
