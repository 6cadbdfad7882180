/** Values and masks of fields, by the schemas of a discovery document. */
export interface DiscoverySchema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, DiscoverySchema>>;
  readonly additionalProperties?: DiscoverySchema;
  readonly items?: DiscoverySchema;
  readonly readOnly?: boolean;
}

type Schemas = Readonly<Record<string, DiscoverySchema>>;

interface Place {
  readonly path: string;
  /** Fields that only answers have must not be sent. */
  readonly isRequest: boolean;
}

export function schemaProblems(
  schemas: Schemas,
  given: DiscoverySchema,
  value: unknown,
  place: Place,
): readonly string[] {
  const schema = resolved(schemas, given);
  const { path, isRequest } = place;
  if (isRequest && schema.readOnly === true) return [`${path} is set by Google only`];
  if (Array.isArray(value)) {
    if (schema.type !== 'array' || schema.items === undefined) return [`${path} is no list`];
    const { items } = schema;
    return value.flatMap((item, at) =>
      schemaProblems(schemas, items, item, { ...place, path: `${path}[${at}]` }),
    );
  }
  if (typeof value === 'object' && value !== null)
    return objectProblems(schemas, schema, value, place);
  return scalarProblem(schema, value) ? [`${path} cannot be ${JSON.stringify(value)}`] : [];
}

function objectProblems(schemas: Schemas, schema: DiscoverySchema, value: object, place: Place) {
  const { properties, additionalProperties } = schema;
  if (properties === undefined && additionalProperties === undefined) {
    return [`${place.path} is no object`];
  }
  return Object.entries(value).flatMap(([name, item]) => {
    const path = `${place.path}.${name}`;
    const of = properties?.[name] ?? additionalProperties;
    if (of === undefined) return [`${path}: no such field`];
    return schemaProblems(schemas, of, item, { ...place, path });
  });
}

/** Whole numbers of 64 bits are texts, or numbers. */
function scalarProblem({ type, format, enum: values }: DiscoverySchema, value: unknown): boolean {
  switch (type) {
    case 'string':
      if (format === 'int64' || format === 'uint64') return !/^-?\d+$/.test(String(value));
      return typeof value !== 'string' || (values !== undefined && !values.includes(value));
    case 'integer':
      return !Number.isInteger(value);
    case 'number':
      return typeof value !== 'number';
    case 'boolean':
      return typeof value !== 'boolean';
    case 'any':
      return false;
    default:
      return true;
  }
}

function resolved(schemas: Schemas, schema: DiscoverySchema): DiscoverySchema {
  const { $ref, ...own } = schema;
  if ($ref === undefined) return schema;
  const known = schemas[$ref];
  if (known === undefined) throw new Error(`the document lacks the schema ${$ref}`);
  return { ...known, ...own };
}

/** A mask like `items/*(name,zone),nextPageToken`. */
export function fieldProblems(
  schemas: Schemas,
  root: DiscoverySchema,
  mask: string,
): readonly string[] {
  return partsOf(mask).flatMap((part) => {
    const at = part.search(/[/(]/);
    const name = at < 0 ? part : part.slice(0, at);
    const below = childOf(schemas, root, name);
    if (below === null) return [`fields: no field ${name}`];
    if (at < 0) return [];
    const rest = part[at] === '(' ? part.slice(at + 1, -1) : part.slice(at + 1);
    return fieldProblems(schemas, below, rest);
  });
}

/** Separated by commas that are in no parentheses. */
function partsOf(mask: string): readonly string[] {
  const parts: string[] = [''];
  let depth = 0;
  for (const char of mask) {
    if (char === '(') depth++;
    if (char === ')') depth--;
    if (char === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts;
}

function childOf(schemas: Schemas, of: DiscoverySchema, name: string): DiscoverySchema | null {
  const schema = resolved(schemas, of);
  if (schema.items !== undefined) return childOf(schemas, schema.items, name);
  if (name === '*') return schema.additionalProperties ?? null;
  return schema.properties?.[name] ?? schema.additionalProperties ?? null;
}
