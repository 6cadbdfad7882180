/** Values of `${{ namespace.name }}`, by namespace. */
export type Namespaces = Readonly<Record<string, Readonly<Record<string, string>>>>;

export type Interpolated =
  | {
      readonly ok: true;
      readonly text: string;
      /** Names (`namespace.name`) that were replaced, in order. */
      readonly used: readonly string[];
    }
  | {
      readonly ok: false;
      /** The problem with the text, to complete a sentence. */
      readonly error: string;
      /** Names without a value, if that is the problem. */
      readonly missing: readonly string[];
    };

/** The replacement of a reference. `keep`: it is left for a later step. */
export type Resolution =
  | { readonly text: string }
  | 'keep'
  | 'missing'
  | { readonly error: string };

const NAME = /^[a-zA-Z_][a-zA-Z0-9_]*\.[a-zA-Z_][a-zA-Z0-9_]*$/;
const KEPT_NAME = /^[a-zA-Z_][a-zA-Z0-9_.[\]]*$/;

/**
 * Replaces `${{ namespace.name }}` by values. `$$` becomes `$` where the scan meets it, as in
 * dstack 0.22.5: pairs between a lone `$` and the next reference are unchanged. Names of the
 * namespaces in `skip` are left for a later step.
 */
export function interpolate(
  text: string,
  namespaces: Namespaces,
  skip: readonly string[] = [],
): Interpolated {
  return substitute(text, (name) => {
    const namespace = /^[^.[]*/.exec(name)?.[0] ?? '';
    if (skip.includes(namespace)) return KEPT_NAME.test(name) ? 'keep' : illegal(name);
    if (!NAME.test(name)) return illegal(name);
    const values = Object.hasOwn(namespaces, namespace) ? namespaces[namespace] : undefined;
    const key = name.slice(namespace.length + 1);
    const value = values && Object.hasOwn(values, key) ? values[key] : undefined;
    return value === undefined ? 'missing' : { text: value };
  });
}

/** The same scan, with a function of the caller for the replacement of each reference. */
export function substitute(text: string, resolve: (name: string) => Resolution): Interpolated {
  const missing: string[] = [];
  const used: string[] = [];
  let result = '';
  let at = 0;
  for (;;) {
    const dollar = text.indexOf('$', at);
    if (dollar === -1) break;
    if (text[dollar + 1] === '$') {
      result += `${text.slice(at, dollar)}$`;
      at = dollar + 2;
      continue;
    }
    const open = text.indexOf('${{', at);
    if (open === -1) break;
    const close = text.indexOf('}}', open + 3);
    if (close === -1) return failed("has '${{' without a closing '}}'");
    const name = text.slice(open + 3, close).trim();
    const value = resolve(name);
    if (typeof value === 'object' && 'error' in value) return failed(value.error);
    if (value === 'missing') missing.push(name);
    if (typeof value === 'object') used.push(name);
    result += text.slice(at, open);
    at = close + 2;
    result += typeof value === 'object' ? value.text : text.slice(open, at);
  }
  if (missing.length > 0) return failed(`uses ${missing.join(', ')}, which has no value`, missing);
  return { ok: true, text: result + text.slice(at), used };
}

function illegal(name: string): Resolution {
  return { error: `uses '${name}', which is not a name: write \${{ namespace.name }}` };
}

function failed(error: string, missing: readonly string[] = []): Interpolated {
  return { ok: false, error, missing };
}
