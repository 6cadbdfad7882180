import type { IncomingHttpHeaders } from 'node:http';

/** Form fields of a request; `Action` names the call. */
export type Fields = Readonly<Record<string, string>>;

export function fieldsOf(body: string): Fields {
  return Object.fromEntries(new URLSearchParams(body));
}

/** The region in the scope of the signature; `us-east-1` without a signature. */
export function regionOf({ authorization = '' }: Pick<IncomingHttpHeaders, 'authorization'>) {
  const [, region = 'us-east-1'] = /Credential=[^/]+\/\d+\/([^/]+)\//.exec(authorization) ?? [];
  return region;
}

/** Values of `name.1`, `name.2` and so on, or of `name.1.part`. */
export function listed(fields: Fields, name: string, part?: string): readonly string[] {
  const end = part === undefined ? '' : `.${part}`;
  const values: string[] = [];
  for (;;) {
    const value = fields[`${name}.${values.length + 1}${end}`];
    if (value === undefined) return values;
    values.push(value);
  }
}
