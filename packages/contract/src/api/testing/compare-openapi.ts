/** Where two OpenAPI documents disagree, from the view of a client of the first. */

export type Schema = Readonly<Record<string, unknown>>;

export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Schema>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/**
 * `request`: the server must accept what the client sends. `response`: the client must be able to
 * read what the server sends.
 */
type Side = 'request' | 'response';

/** One form that a value may have. */
interface Form {
  readonly type: string;
  readonly schema: Schema;
}

/** Sentences like `request RunSpec.repo_dir: is not accepted`, each once. */
export function compareDocuments(theirs: Document, ours: Document): string[] {
  return new Comparison(theirs, ours).run();
}

class Comparison {
  readonly #theirs: Document;
  readonly #ours: Document;
  readonly #found = new Set<string>();
  readonly #seen = new Set<string>();

  constructor(theirs: Document, ours: Document) {
    this.#theirs = theirs;
    this.#ours = ours;
  }

  run(): string[] {
    const operations = (document: Document) =>
      Object.entries(document.paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method} ${path}`),
      );
    const [theirs, ours] = [operations(this.#theirs), operations(this.#ours)];
    for (const one of theirs) if (!ours.includes(one)) this.#add(`operation ${one}: is missing`);
    for (const one of ours) if (!theirs.includes(one)) this.#add(`operation ${one}: is ours`);
    for (const one of theirs) if (ours.includes(one)) this.#operation(one);
    return [...this.#found].sort();
  }

  #operation(name: string): void {
    const [method = '', path = ''] = name.split(' ');
    const theirs = this.#theirs.paths[path]?.[method] ?? {};
    const ours = this.#ours.paths[path]?.[method] ?? {};
    for (const parameter of parametersOf(theirs)) {
      const known = parametersOf(ours).find(
        (other) => other.name === parameter.name && other.in === parameter.in,
      );
      if (!known) this.#add(`request ${path}?${parameter.name}: is not accepted`);
    }
    for (const side of ['request', 'response'] as const) {
      const [their, our] = [bodyOf(theirs, side), bodyOf(ours, side)];
      if (their && our) this.#compare(side, path, their, our);
      else if (their && !isAny(their) && !isNull(their)) {
        this.#add(`${side} ${path}: has no schema`);
      }
    }
  }

  #compare(side: Side, at: string, theirs: Schema, ours: Schema): void {
    const pair = `${side} ${nameOf(theirs) ?? at} ${nameOf(ours) ?? JSON.stringify(ours)}`;
    if (this.#seen.has(pair)) return;
    this.#seen.add(pair);
    const place = nameOf(theirs) ?? at;
    const their = forms(this.#theirs, theirs);
    const our = forms(this.#ours, ours);
    // The sender may send only forms that the receiver accepts.
    const [given, known] = side === 'request' ? [their, our] : [our, their];
    if (known.some((form) => form.type === 'any')) return;
    for (const form of given) {
      const partners = known.filter((other) => fits(form, other));
      if (partners.length === 0) this.#add(`${side} ${place}: ${described(form)} is not known`);
      else this.#parts(side, place, form, partners);
    }
  }

  /**
   * Compares with the alternative that differs least: unions are matched by their tags, otherwise
   * by their fields.
   */
  #parts(side: Side, place: string, given: Form, partners: readonly Form[]): void {
    const tagged = partners.filter((other) => sameTags(given.schema, other.schema));
    const candidates = tagged.length > 0 ? tagged : partners;
    const partner = candidates.toSorted(
      (a, b) => strangers(given.schema, a.schema) - strangers(given.schema, b.schema),
    )[0];
    if (partner === undefined) return;
    const [their, our] =
      side === 'request' ? [given.schema, partner.schema] : [partner.schema, given.schema];
    if (given.type === 'array') {
      this.#compare(side, `${place}[]`, items(their), items(our));
      return;
    }
    if (given.type === 'object') this.#fields(side, place, their, our);
  }

  #fields(side: Side, place: string, theirs: Schema, ours: Schema): void {
    const mine = propertiesOf(ours);
    const isOpen = isMap(ours) && Object.keys(mine).length === 0;
    for (const [name, schema] of Object.entries(propertiesOf(theirs))) {
      const own = mine[name];
      if (own) this.#compare(side, `${place}.${name}`, schema, own);
      else if (!isOpen) this.#add(`${side} ${place}.${name}: is missing`);
    }
    const required = (schema: Schema) => (schema.required as string[] | undefined) ?? [];
    const [must, may] = side === 'request' ? [ours, theirs] : [theirs, ours];
    for (const name of required(must)) {
      if (required(may).includes(name)) continue;
      if (side === 'response' && name in mine) continue;
      this.#add(`${side} ${place}.${name}: is required`);
    }
    if (isMap(theirs) && isMap(ours)) {
      this.#compare(side, `${place}{}`, valuesOf(theirs), valuesOf(ours));
    }
  }

  #add(difference: string): void {
    this.#found.add(difference);
  }
}

function bodyOf(operation: Schema, side: Side): Schema | null {
  const holder =
    side === 'request'
      ? operation.requestBody
      : (operation.responses as Schema | undefined)?.['200'];
  const content = (holder as { content?: Record<string, { schema?: Schema }> } | undefined)
    ?.content;
  return content?.['application/json']?.schema ?? null;
}

function parametersOf(operation: Schema): { readonly name: string; readonly in: string }[] {
  return (operation.parameters as { name: string; in: string }[] | undefined) ?? [];
}

function nameOf(schema: Schema): string | null {
  return typeof schema.$ref === 'string' ? (schema.$ref.split('/').pop() ?? null) : null;
}

/** Expands unions and references. */
function forms(document: Document, schema: Schema): Form[] {
  const name = nameOf(schema);
  if (name !== null) return forms(document, document.components.schemas[name] ?? {});
  const union = (schema.anyOf ?? schema.oneOf) as Schema[] | undefined;
  if (union) return joined(union.flatMap((part) => forms(document, part)));
  const all = schema.allOf as Schema[] | undefined;
  if (all?.length === 1) return forms(document, all[0] ?? {});
  const types = Array.isArray(schema.type) ? (schema.type as string[]) : [typeOf(schema)];
  return types.map((type) => ({ type, schema }));
}

/** A union of single constants equals one list of constants. */
function joined(all: readonly Form[]): Form[] {
  const others = all.filter(({ schema }) => constantsOf(schema) === null);
  const types = new Set(all.filter((form) => !others.includes(form)).map(({ type }) => type));
  const lists = [...types].map((type) => {
    const constants = all.flatMap((form) =>
      form.type === type ? (constantsOf(form.schema) ?? []) : [],
    );
    return { type, schema: { type, enum: [...new Set(constants)] } };
  });
  return [...others, ...lists];
}

function typeOf(schema: Schema): string {
  if (typeof schema.type === 'string') return schema.type;
  const constants = constantsOf(schema);
  if (constants) return typeof constants[0] === 'number' ? 'integer' : typeof constants[0];
  return 'properties' in schema ? 'object' : 'any';
}

function fits(given: Form, known: Form): boolean {
  if (known.type === 'any') return true;
  if (given.type === 'integer' && known.type === 'number') return true;
  if (given.type !== known.type) return false;
  const [constants, others] = [constantsOf(given.schema), constantsOf(known.schema)];
  if (!others) return true;
  return constants?.every((word) => others.includes(word)) ?? false;
}

function constantsOf(schema: Schema): readonly unknown[] | null {
  if ('const' in schema) return [schema.const];
  return (schema.enum as unknown[] | undefined) ?? null;
}

function described({ type, schema }: Form): string {
  const constants = constantsOf(schema);
  if (constants) return constants.map((word) => JSON.stringify(word)).join('|');
  const tags = Object.entries(tagsOf(schema)).map(([key, list]) => `${key}=${list.join('|')}`);
  return tags.length > 0 ? `${type} ${tags.join()}` : type;
}

/** Fields that distinguish the members of a union: those with a fixed list of values. */
function tagsOf(schema: Schema): Readonly<Record<string, readonly unknown[]>> {
  const tags = Object.entries(propertiesOf(schema)).flatMap(([name, part]) => {
    const constants = constantsOf(part);
    return constants ? [[name, constants] as const] : [];
  });
  return Object.fromEntries(tags);
}

function sameTags(a: Schema, b: Schema): boolean {
  const [left, right] = [tagsOf(a), tagsOf(b)];
  const common = Object.entries(left).filter(([name]) => name in right);
  return (
    common.length > 0 &&
    common.every(([name, constants]) => constants.some((word) => right[name]?.includes(word)))
  );
}

function strangers(a: Schema, b: Schema): number {
  const [left, right] = [Object.keys(propertiesOf(a)), Object.keys(propertiesOf(b))];
  const alone = (these: string[], those: string[]) =>
    these.filter((name) => !those.includes(name)).length;
  return alone(left, right) + alone(right, left);
}

function propertiesOf(schema: Schema): Readonly<Record<string, Schema>> {
  return (schema.properties as Record<string, Schema> | undefined) ?? {};
}

function isMap(schema: Schema): boolean {
  return schema.additionalProperties !== false && !('properties' in schema);
}

function valuesOf(schema: Schema): Schema {
  const values = schema.additionalProperties;
  return typeof values === 'object' && values !== null ? (values as Schema) : {};
}

function items(schema: Schema): Schema {
  return (schema.items as Schema | undefined) ?? {};
}

function isAny(schema: Schema): boolean {
  return Object.keys(schema).length === 0;
}

function isNull(schema: Schema): boolean {
  return schema.type === 'null';
}
