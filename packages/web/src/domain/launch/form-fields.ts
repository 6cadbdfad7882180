import { isMap, isSeq, parseDocument } from 'yaml';
import type { SourceProblem } from './configuration-source.ts';
import type { ConfigurationSchema, RunType } from './json-schema.ts';

/** A key that the form shows. What it looks like follows from the schema. */
export interface FormField {
  readonly path: readonly string[];
  readonly label: string;
  readonly placeholder?: string;
  /** Lines of text: a list, or a map of names and values. */
  readonly lines?: boolean;
}

/** The common keys, in the order of the form. Others are only in the text. */
const FIELDS: readonly FormField[] = [
  { path: ['name'], label: 'Name', placeholder: 'chosen by the server' },
  { path: ['ide'], label: 'Editor' },
  { path: ['image'], label: 'Image', placeholder: 'the image of dstack' },
  { path: ['python'], label: 'Python', placeholder: '3.12' },
  { path: ['port'], label: 'Port', placeholder: '8000' },
  { path: ['model'], label: 'Model', placeholder: 'meta-llama/Llama-3.1-8B-Instruct' },
  { path: ['replicas'], label: 'Replicas', placeholder: '1..4' },
  { path: ['nodes'], label: 'Nodes', placeholder: '1' },
  { path: ['commands'], label: 'Commands', lines: true },
  { path: ['env'], label: 'Environment', placeholder: 'NAME=value', lines: true },
  { path: ['resources', 'gpu'], label: 'GPUs', placeholder: 'H100:80GB:8' },
  { path: ['resources', 'cpu'], label: 'CPUs', placeholder: '2..' },
  { path: ['resources', 'memory'], label: 'Memory', placeholder: '8GB..' },
  { path: ['resources', 'disk'], label: 'Disk', placeholder: '100GB..' },
  { path: ['spot_policy'], label: 'Spot instances' },
  { path: ['max_price'], label: 'Highest price', placeholder: 'USD per hour' },
  { path: ['max_duration'], label: 'Longest duration', placeholder: '2h' },
  { path: ['priority'], label: 'Priority', placeholder: '0' },
];

/** The fields that a configuration of this type has. */
export function fieldsOf(schema: ConfigurationSchema, type: RunType): readonly FormField[] {
  return FIELDS.filter(({ path }) => schema.at(type, path).length > 0);
}

/** The message about an invalid value of a field, without the name of its key; null: it is valid. */
export function fieldProblem(
  { path }: FormField,
  problems: readonly SourceProblem[],
): string | null {
  const found = problems.find((problem) => isOf(path, problem));
  if (found === undefined) return null;
  const name = (found.path ?? []).join('.');
  return found.message.startsWith(`${name}: `)
    ? found.message.slice(name.length + 2)
    : found.message;
}

/** The problems that no field of the form shows. */
export function otherProblems(
  fields: readonly FormField[],
  problems: readonly SourceProblem[],
): readonly SourceProblem[] {
  return problems.filter((problem) => !fields.some(({ path }) => isOf(path, problem)));
}

/** A problem of a part of the value, such as one item of a list, is one of the field. */
const isOf = (field: readonly string[], { path = [] }: SourceProblem): boolean =>
  field.every((key, depth) => path[depth] === key);

/** The value of a field as text; null: it is written in a form that only the text can show. */
export function readField(text: string, { path, lines }: FormField): string | null {
  const node = parseDocument(text).getIn(path, true);
  if (node === undefined || node === null) return '';
  if (isMap(node) || isSeq(node)) {
    const value: unknown = node.toJSON();
    return lines ? linesOf(value) : null;
  }
  const value = (node as { readonly value?: unknown }).value;
  return value === null || value === undefined ? '' : String(value);
}

function linesOf(value: unknown): string | null {
  const isScalar = (part: unknown) => typeof part !== 'object' || part === null;
  if (Array.isArray(value)) {
    const isPlain = value.every((part) => isScalar(part) && !String(part).includes('\n'));
    return isPlain ? value.join('\n') : null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const entries = Object.entries(value);
  return entries.every(([, part]) => isScalar(part))
    ? entries.map(([key, part]) => `${key}=${part ?? ''}`).join('\n')
    : null;
}

/** The text with a changed field. Comments and everything else stay as they are. */
export function writeField(text: string, { path, lines }: FormField, value: string): string {
  const document = parseDocument(text);
  if (value.trim() === '') {
    document.deleteIn(path);
    const parent = path.slice(0, -1);
    const left = parent.length > 0 ? document.getIn(parent) : null;
    if (isMap(left) && left.items.length === 0) document.deleteIn(parent);
  } else {
    document.setIn(path, lines ? value.split('\n') : scalar(value));
  }
  return document.toString({ lineWidth: 0 });
}

/** Whole numbers are numbers; everything else is text, which the writer quotes where it must. */
function scalar(value: string): unknown {
  if (/^(?:true|false)$/.test(value)) return value === 'true';
  return /^\d{1,15}$/.test(value) ? Number(value) : value;
}
