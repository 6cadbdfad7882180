/** Bodies of requests: JSON, or forms with the providers that use those. */

const FORM = 'application/x-www-form-urlencoded';

/** Undefined: it is in no form that a personality accepts. Null: there is none. */
export function parsedBody(sent: string, contentType: unknown): unknown {
  if (sent === '') return null;
  if (String(contentType ?? '').startsWith(FORM)) {
    return Object.fromEntries(new URLSearchParams(sent));
  }
  try {
    return JSON.parse(sent);
  } catch {
    return undefined;
  }
}
