/** Tables of keys from the JSON Schemas of the configuration language. */
import {
  configurationJsonSchema,
  profilesJsonSchema,
  serverConfigJsonSchema,
} from '@dstack/contract';
import { parse, stringify } from 'yaml';
import { COMPLETE, PROFILES, SERVER_CONFIG, SINGLE } from './examples.ts';

export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly description?: string;
  readonly title?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

/** Parts of the language that the server does not support. */
const UNSUPPORTED = /^Preset/;

const SECTIONS: readonly (readonly [heading: string, models: readonly string[], intro: string])[] =
  [
    ['task', ['TaskConfiguration'], 'A run that ends: training, batch jobs, commands.'],
    [
      'service',
      ['ServiceConfiguration'],
      'A run that answers requests. See [services](../services.md).',
    ],
    [
      'dev-environment',
      ['DevEnvironmentConfiguration'],
      'A run that you work in with an editor. See [dev environments](../dev-environments.md).',
    ],
    ['fleet', ['FleetConfiguration'], 'Machines that runs use. See [fleets](../fleets.md).'],
    [
      'volume',
      [
        'RemoteVolumeConfiguration',
        'AWSVolumeConfiguration',
        'GCPVolumeConfiguration',
        'RunpodVolumeConfiguration',
        'KubernetesVolumeConfiguration',
        'DaytonaVolumeConfiguration',
        'LiumVolumeConfiguration',
      ],
      'Storage that outlives runs, by backend. See [volumes](../volumes.md).',
    ],
    ['gateway', ['GatewayConfiguration'], 'See [gateways](../gateways.md).'],
  ];

export function configurationReference(): string {
  const schema = configurationJsonSchema() as Schema;
  const writer = new Tables(schema, exampleValues(schema));
  const top = new Set<string>();
  const parts = SECTIONS.map(([heading, models, intro]) => {
    for (const model of models) top.add(model);
    const example = Object.entries(COMPLETE).find(([name]) => models.includes(name))?.[1] ?? '';
    const tables = models.map((model) =>
      models.length > 1 ? `### ${model}\n\n${writer.table(model)}` : writer.table(model),
    );
    const shown = `\`\`\`yaml\n${short(example)}\`\`\``;
    return `## ${heading}\n\n${intro}\n\n${shown}\n\n${tables.join('\n\n')}`;
  });
  return `# Keys of configurations

Every key of \`.dstack.yml\` with its type and default; examples are below the descriptions. The same is available to editors as a
JSON Schema: \`/schemas/configuration.json\` on your server. Keys with a model as type are described
[below](#models).

${parts.join('\n\n')}

## Models

${writer.models(top, (name) => !UNSUPPORTED.test(name) && name !== 'VolumeConfiguration')}
`;
}

export function profilesReference(): string {
  const schema = profilesJsonSchema() as Schema;
  const writer = new Tables(schema, valuesOf(schema, schema, parse(PROFILES)));
  return `# Keys of profiles

\`.dstack/profiles.yml\` in the current folder, then in your home, has defaults for runs: \`--profile NAME\`
selects one, else the one with \`default: true\` is used. Keys of the configuration have precedence. JSON
Schema: \`/schemas/profiles.json\`.

\`\`\`yaml
${PROFILES}\`\`\`

${writer.table('Profile')}

## Models

${writer.models(new Set(['Profile']), () => true)}
`;
}

export function serverConfigReference(): string {
  const schema = serverConfigJsonSchema() as Schema;
  const writer = new Tables(schema, valuesOf(schema, schema, parse(SERVER_CONFIG)));
  return `# Keys of the server's config.yml

\`~/.dstack/server/config.yml\` is read when the server starts: projects with their backends, encryption
keys and default permissions. JSON Schema: \`/schemas/server-config.json\`. See
[backends](../backends.md) for what each backend can do today.

\`\`\`yaml
${SERVER_CONFIG}\`\`\`

${writer.rootTable()}

## Models

${writer.models(new Set(), () => true)}
`;
}

/** The first lines, which are those of the kind itself. */
function short(example: string): string {
  const [own = ''] = example.split('\n\n');
  return own.endsWith('\n') ? own : `${own}\n`;
}

/** `Model.key` → the value of the key in an example. */
type Values = ReadonlyMap<string, unknown>;

function exampleValues(schema: Schema): Values {
  const all = new Map<string, unknown>();
  for (const [name, text] of Object.entries(COMPLETE)) {
    const [model = ''] = name.split(' ');
    collect(schema, schema.$defs?.[model] ?? {}, model, parse(text), all);
  }
  return all;
}

function valuesOf(root: Schema, schema: Schema, value: unknown): Values {
  const all = new Map<string, unknown>();
  collect(root, schema, '', value, all);
  return all;
}

function collect(
  root: Schema,
  schema: Schema,
  model: string,
  value: unknown,
  all: Map<string, unknown>,
): void {
  if (schema.$ref !== undefined) {
    const name = nameOf(schema.$ref);
    collect(root, root.$defs?.[name] ?? {}, name, value, all);
    return;
  }
  for (const each of [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]) {
    collect(root, each, model, value, all);
  }
  if (Array.isArray(value)) {
    for (const item of value) collect(root, schema.items ?? {}, model, item, all);
    return;
  }
  if (value === null || typeof value !== 'object') return;
  // A union tries every model; the one without a key of the value is not meant.
  const keys = Object.keys(value);
  if (schema.properties === undefined || !keys.every((key) => key in (schema.properties ?? {}))) {
    return;
  }
  for (const [key, part] of Object.entries(value)) {
    const property = schema.properties[key] ?? {};
    if (!all.has(`${model}.${key}`)) all.set(`${model}.${key}`, part);
    collect(root, property, model, part, all);
  }
}

function nameOf(ref: string): string {
  return ref.split('/').at(-1) ?? '';
}

class Tables {
  readonly #root: Schema;
  readonly #values: Values;

  constructor(root: Schema, values: Values) {
    this.#root = root;
    this.#values = values;
  }

  rootTable(): string {
    return this.#rows('', this.#root);
  }

  table(model: string): string {
    return this.#rows(model, this.#root.$defs?.[model] ?? {});
  }

  models(except: ReadonlySet<string>, isWanted: (name: string) => boolean): string {
    return Object.entries(this.#root.$defs ?? {})
      .filter(([name]) => !except.has(name) && isWanted(name))
      .map(([name, schema]) => {
        const heading = `### ${name}`;
        if (schema.properties === undefined) return `${heading}\n\n${this.type(schema)}`;
        return `${heading}\n\n${this.#rows(name, schema)}`;
      })
      .join('\n\n');
  }

  #rows(model: string, schema: Schema): string {
    const rows = Object.entries(schema.properties ?? {}).map(([key, property]) => {
      const name = schema.required?.includes(key) ? `**\`${key}\`**` : `\`${key}\``;
      const description = property.description ?? this.#described(property);
      const example = this.#example(model, key, property);
      const cells = [
        name,
        this.type(property),
        defaultText(property),
        [description, example].filter(Boolean).join('<br>'),
      ];
      return `| ${cells.map(cell).join(' | ')} |`;
    });
    const bold = (schema.required ?? []).length > 0 ? 'Keys in bold are required.\n\n' : '';
    return `${bold}| Key | Type | Default | |\n| --- | --- | --- | --- |\n${rows.join('\n')}`;
  }

  #described(property: Schema): string {
    return property.$ref ? (this.#root.$defs?.[nameOf(property.$ref)]?.description ?? '') : '';
  }

  type(schema: Schema): string {
    if (schema.$ref !== undefined) {
      const name = nameOf(schema.$ref);
      if (UNSUPPORTED.test(name)) return 'object';
      return `[${name}](#${name.toLowerCase()})`;
    }
    if (schema.const !== undefined) return `\`${String(schema.const)}\``;
    if (schema.enum !== undefined) return schema.enum.map((each) => `\`${each}\``).join(', ');
    const choices = schema.anyOf ?? schema.oneOf;
    if (choices !== undefined) {
      const types = choices.filter((each) => each.type !== 'null').map((each) => this.type(each));
      return [...new Set(types)].join(' or ');
    }
    if (schema.type === 'array') return `list of ${this.type(schema.items ?? {})}`;
    if (schema.type === 'object' && typeof schema.additionalProperties === 'object') {
      return `map of ${this.type(schema.additionalProperties)}`;
    }
    return schema.type ?? 'any';
  }

  #example(model: string, key: string, property: Schema): string {
    const name = `${model}.${key}`;
    const value = this.#values.get(name) ?? SINGLE[name] ?? simpleExample(property);
    if (value === undefined) return '';
    const inline = stringify({ [key]: value }, { collectionStyle: 'flow', lineWidth: 0 }).trim();
    const text = inline.replace(/^\{ (.*) \}$/s, '$1');
    return text.length > 100 ? `\`${text.slice(0, 97)}…\`` : `\`${text}\``;
  }
}

/** For flags and closed lists: a value that is not the default. */
function simpleExample(schema: Schema): unknown {
  if (schema.const !== undefined) return schema.const;
  const choices = [schema, ...(schema.anyOf ?? [])];
  if (choices.some(({ type }) => type === 'boolean')) return schema.default !== true;
  const list = choices.find((each) => each.enum !== undefined)?.enum ?? [];
  return list.find((each) => each !== schema.default);
}

function defaultText({ default: value, anyOf }: Schema): string {
  if (value === undefined) return '';
  if (value === null) return anyOf ? 'none' : '';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : `\`${JSON.stringify(value)}\``;
  if (typeof value === 'object') return Object.keys(value).length === 0 ? 'none' : 'see the model';
  return `\`${String(value)}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
