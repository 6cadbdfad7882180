/** The table of the Helm chart's values, from its schema and its defaults. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

const CHART = resolve(import.meta.dirname, '..', '..', 'deploy', 'helm', 'dstack');

interface ValueSchema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, ValueSchema>>;
  readonly additionalProperties?: unknown;
  readonly enum?: readonly string[];
  readonly description?: string;
  readonly definitions?: Readonly<Record<string, ValueSchema>>;
}

interface Row {
  readonly name: string;
  readonly initial: unknown;
  readonly schema: ValueSchema;
}

export function helmReference(): string {
  const rows = helmValues().map(({ name, initial, schema }) => {
    const choices = schema.enum ? ` One of ${schema.enum.map(code).join(', ')}.` : '';
    const description = `${schema.description ?? ''}${choices}`.replaceAll('|', '\\|');
    return `| ${code(name)} | ${shown(initial)} | ${description} |`;
  });
  return `# Helm values

The values of the chart \`deploy/helm/dstack\` ([the server on Kubernetes](../server-on-kubernetes.md)). A value of another type or
with an unknown name is refused by name.

| Value | Default | |
| --- | --- | --- |
${rows.join('\n')}
`;
}

/** Every value with its default. */
export function helmValues(): readonly Row[] {
  const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as ValueSchema;
  const defaults = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as unknown;
  const resolved = (one: ValueSchema): ValueSchema => {
    const named = schema.definitions?.[one.$ref?.split('/').at(-1) ?? ''];
    return named ? { ...named, ...one } : one;
  };
  const below = (one: ValueSchema, path: readonly string[], initial: unknown): readonly Row[] =>
    Object.entries(one.properties ?? {}).flatMap(([name, unresolved]) => {
      const value = resolved(unresolved);
      const at = [...path, name];
      const own = (initial as Record<string, unknown> | undefined)?.[name];
      // A model of the chart; other objects have keys that the user chooses.
      const isGroup = value.additionalProperties === false;
      return isGroup
        ? below(value, at, own)
        : [{ name: at.join('.'), initial: own, schema: value }];
    });
  return below(schema, [], defaults).filter(({ name }) => name !== 'global');
}

function shown(initial: unknown): string {
  const isEmpty = initial === '' || JSON.stringify(initial).length === 2;
  return isEmpty ? 'none' : code(typeof initial === 'string' ? initial : JSON.stringify(initial));
}

const code = (text: string): string => `\`${text}\``;
