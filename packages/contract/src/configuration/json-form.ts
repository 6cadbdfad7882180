import type * as z from 'zod';

/** A JSON Schema (2020-12) or a part of one. */
export interface JsonSchema {
  [keyword: string]: unknown;
  readonly $ref?: string;
}

/** Converts another schema into JSON Schema: a reference if it has a name, otherwise in place. */
export type JsonRef = (schema: z.core.$ZodType) => JsonSchema;

export type JsonForm = JsonSchema | ((ref: JsonRef) => JsonSchema);

interface Forms {
  readonly input: JsonForm;
  readonly output: JsonForm;
}

/**
 * A schema that is a function has no structure to convert; this describes its accepted and emitted
 * values.
 */
const forms = new WeakMap<z.core.$ZodType, Forms>();

export function describeJson<S extends z.core.$ZodType>(
  schema: S,
  input: JsonForm,
  output: JsonForm = input,
): S {
  forms.set(schema, { input, output });
  return schema;
}

export function jsonFormsOf(schema: z.core.$ZodType): Forms | undefined {
  return forms.get(schema);
}
