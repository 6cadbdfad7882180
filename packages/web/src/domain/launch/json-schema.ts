/** The part of JSON schema that the served documents use. */
export interface SchemaNode {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, SchemaNode>>;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: boolean | SchemaNode;
  readonly items?: SchemaNode;
  readonly description?: string;
}

/** The kinds of configurations that can be submitted as runs. */
export const LAUNCH_TYPES = ['task', 'service', 'dev-environment'] as const;
export type RunType = (typeof LAUNCH_TYPES)[number];

export function isRunType(value: unknown): value is RunType {
  return LAUNCH_TYPES.some((type) => type === value);
}

/** The schema of configurations, with what is asked of it. */
export class ConfigurationSchema {
  readonly #root: SchemaNode;
  readonly #definitions: Readonly<Record<string, SchemaNode>>;

  constructor(document: unknown) {
    this.#root = typeof document === 'object' && document !== null ? document : {};
    this.#definitions = this.#root.$defs ?? {};
  }

  /** The alternatives that a value at this path may have in a configuration of this type. */
  at(type: RunType, path: readonly PropertyKey[]): readonly SchemaNode[] {
    const root = this.#flat([this.#root]).filter(({ properties }) => {
      const types = this.#flat(properties?.type ? [properties.type] : []);
      return types.some((one) => one.const === type || one.enum?.includes(type));
    });
    return path.reduce<readonly SchemaNode[]>((schemas, step) => this.#step(schemas, step), root);
  }

  /** Keys with their descriptions. */
  keys(type: RunType, path: readonly PropertyKey[]): ReadonlyMap<string, string> {
    const keys = new Map<string, string>();
    for (const { properties } of this.at(type, path)) {
      for (const [key, { description = '' }] of Object.entries(properties ?? {})) {
        if (!keys.has(key)) keys.set(key, description);
      }
    }
    return keys;
  }

  /** The words that are allowed, if the values are words. */
  choices(type: RunType, path: readonly PropertyKey[]): readonly string[] {
    const words = this.at(type, path).flatMap((schema) => {
      if (schema.type === 'boolean') return ['true', 'false'];
      return [...(schema.enum ?? []), ...(schema.const === undefined ? [] : [schema.const])];
    });
    return [...new Set(words.filter((word) => word !== null).map(String))];
  }

  description(type: RunType, key: string): string {
    return this.keys(type, []).get(key) ?? '';
  }

  #step(schemas: readonly SchemaNode[], step: PropertyKey): readonly SchemaNode[] {
    const next = schemas.flatMap(({ properties, additionalProperties, items }) => {
      if (typeof step === 'number') return items ? [items] : [];
      const known = properties?.[String(step)];
      if (known !== undefined) return [known];
      return typeof additionalProperties === 'object' ? [additionalProperties] : [];
    });
    return this.#flat(next);
  }

  /** Without references and alternatives. */
  #flat(schemas: readonly SchemaNode[], depth = 0): readonly SchemaNode[] {
    if (depth > 12) return [];
    return schemas.flatMap((schema) => {
      const target = schema.$ref && this.#definitions[schema.$ref.split('/').at(-1) ?? ''];
      if (target) return this.#flat([target], depth + 1);
      const alternatives = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
      return alternatives.length > 0 ? this.#flat(alternatives, depth + 1) : [schema];
    });
  }
}
