import type * as z from 'zod';
import { type JsonForm, type JsonSchema, jsonFormsOf } from '../configuration/json-form.ts';
import { schemaName } from '../configuration/schema-kit.ts';
import { describeKey } from './descriptions.ts';

export interface BuildOptions {
  /** `input`: the accepted forms, including shorthands. `output`: the canonical form. */
  readonly io: 'input' | 'output';
  /** The prefix of references to definitions: `#/$defs/` or `#/components/schemas/`. */
  readonly refPrefix: string;
}

/**
 * Converts our zod schemas into JSON Schema 2020-12. Named models become definitions, which are
 * collected in `definitions`; everything else is written in place.
 */
export class JsonSchemaBuilder {
  readonly definitions: Record<string, JsonSchema> = {};
  private readonly options: BuildOptions;
  private readonly owners = new Map<string, z.core.$ZodType>();
  private readonly open = new Set<string>();
  /** The named model that is being built. */
  private model = '';

  constructor(options: BuildOptions) {
    this.options = options;
  }

  /** A reference if the schema has a name, otherwise the schema itself. */
  readonly ref = (schema: z.core.$ZodType): JsonSchema => {
    const name = schemaName(schema);
    if (name === undefined) return this.build(schema);
    const owner = this.owners.get(name);
    // A reader may have the name of the model that it wraps: both are one definition.
    if (owner !== undefined && owner !== schema && this.open.has(name)) return this.build(schema);
    if (owner === undefined) {
      this.owners.set(name, schema);
      this.open.add(name);
      const outer = this.model;
      this.model = name;
      this.definitions[name] = { ...described(this.build(schema), name), title: titleOf(name) };
      this.model = outer;
      this.open.delete(name);
    }
    return { $ref: this.options.refPrefix + name };
  };

  /** The schema in place, even if it has a name. */
  build(schema: z.core.$ZodType): JsonSchema {
    const forms = jsonFormsOf(schema);
    if (forms) return this.form(this.options.io === 'input' ? forms.input : forms.output);
    const { def } = (schema as z.core.$ZodTypes)._zod;
    switch (def.type) {
      case 'object':
        return this.object(def);
      case 'array':
        return { type: 'array', items: this.ref(def.element), ...lengthLimits(def) };
      case 'record':
        return { type: 'object', additionalProperties: this.ref(def.valueType) };
      case 'union':
        return { anyOf: def.options.map(this.ref) };
      case 'nullable':
        return orNull(this.ref(def.innerType));
      case 'optional':
      case 'catch':
        return this.ref(def.innerType);
      case 'default':
        return { ...this.ref(def.innerType), default: def.defaultValue };
      case 'pipe':
        return this.ref(this.options.io === 'input' || isTransform(def.out) ? def.in : def.out);
      case 'unknown':
      case 'transform':
        return {};
      default:
        throw new Error(`No JSON Schema for zod type '${def.type}'`);
    }
  }

  private form(form: JsonForm): JsonSchema {
    return flatten(typeof form === 'function' ? form(this.ref) : { ...form });
  }

  private object(def: z.core.$ZodObjectDef): JsonSchema {
    const properties: Record<string, JsonSchema> = {};
    const required: string[] = [];
    for (const [key, schema] of Object.entries(def.shape)) {
      properties[key] = this.property(key, schema);
      const { type } = withoutCatch(schema)._zod.def;
      const mayBeMissing = type === 'default' || type === 'optional';
      if (!mayBeMissing || (this.options.io === 'output' && type === 'default')) required.push(key);
    }
    return {
      type: 'object',
      additionalProperties: false,
      properties,
      ...(required.length > 0 ? { required } : {}),
    };
  }

  private property(key: string, schema: z.core.$ZodType): JsonSchema {
    const description = describeKey(key, this.model);
    const json = this.ref(schema);
    return description === undefined ? json : { ...json, description };
  }
}

function withoutCatch(schema: z.core.$ZodType): z.core.$ZodTypes {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  return def.type === 'catch' ? withoutCatch(def.innerType) : (schema as z.core.$ZodTypes);
}

/** Adds descriptions to the keys of a model whose form is written by hand. */
function described(json: JsonSchema, model: string): JsonSchema {
  const { properties } = json as { readonly properties?: Readonly<Record<string, JsonSchema>> };
  if (properties === undefined) return json;
  const all = Object.entries(properties).map(([key, part]) => {
    const description = part.description ?? describeKey(key, model);
    return [key, description === undefined ? part : { ...part, description }] as const;
  });
  return { ...json, properties: Object.fromEntries(all) };
}

/**
 * The output of a transformation cannot be derived; ours keep the form or are described by hand.
 */
function isTransform(schema: z.core.$ZodType): boolean {
  return schema._zod.def.type === 'transform' && jsonFormsOf(schema) === undefined;
}

function orNull(json: JsonSchema): JsonSchema {
  return flatten({ anyOf: [json, { type: 'null' }] });
}

function lengthLimits(def: z.core.$ZodArrayDef): JsonSchema {
  const limits: JsonSchema = {};
  for (const check of def.checks ?? []) {
    const { def: rule } = check._zod as z.core.$ZodChecks['_zod'];
    if (rule.check === 'min_length') limits.minItems = rule.minimum;
    if (rule.check === 'max_length') limits.maxItems = rule.maximum;
  }
  return limits;
}

/** Nested alternatives are written as one list. */
function flatten(json: JsonSchema): JsonSchema {
  if (!Array.isArray(json.anyOf)) return json;
  const branches = (json.anyOf as JsonSchema[]).flatMap((branch) =>
    isPlainUnion(branch) ? (branch.anyOf as JsonSchema[]) : [branch],
  );
  return { ...json, anyOf: uniqueBranches(branches) };
}

function uniqueBranches(branches: readonly JsonSchema[]): JsonSchema[] {
  return [...new Map(branches.map((branch) => [JSON.stringify(branch), branch])).values()];
}

function isPlainUnion(json: JsonSchema): boolean {
  return Object.keys(json).length === 1 && Array.isArray(json.anyOf);
}

/** Generic models are shown with their argument: `Range_int_` as `Range[int]`. */
function titleOf(name: string): string {
  return name.replace(/^(\w+?)_(\w+)_$/, '$1[$2]');
}
