/** From what a provider answers to the errors of the port: one table for each adapter. */
import {
  BackendError,
  BusyError,
  CredentialsError,
  NoAnswerError,
  NoCapacityError,
  QuotaError,
} from '../errors.ts';

/** An answer that is not what was asked for. */
export interface CallRefusal {
  readonly status: number;
  /** The provider's own code; null = the answer has another form than the provider's. */
  readonly code: string | null;
  /** In the provider's words. */
  readonly text: string;
}

export type Meaning =
  /** No machine of this kind is left, and nothing was created. */
  | 'no-capacity'
  /** The account may not have more. */
  | 'quota'
  | 'credentials'
  /** The credentials lack a right, or the account money; the text names it. */
  | 'forbidden'
  /** Carried out later if it is repeated, because too much was asked for. */
  | 'busy'
  /** There is no such thing. */
  | 'missing'
  /** Not possible in the present state of the thing; later it is. */
  | 'not-now';

/** Matches if all of its conditions do. */
export interface RefusalRule {
  readonly status?: number;
  /** The provider's error code, or its beginning if this ends in `*`. */
  readonly code?: string;
  /** Only words of the provider count: a proxy in between may say anything. */
  readonly text?: RegExp;
  readonly means: Meaning;
}

/** There is no such thing at the provider. */
export class MissingThingError extends BackendError {
  override name = 'MissingThingError';
}

/** The provider may still be at work on it. */
export class TimedOutError extends NoAnswerError {
  override name = 'TimedOutError';
}

/** Not possible in the present state of the thing. */
export class NotNowError extends BusyError {
  override name = 'NotNowError';
}

const NOT_FOUND = 404;

/** Meanings of HTTP status codes, unless the adapter's own rules say otherwise. */
const COMMON: readonly RefusalRule[] = [
  { status: 401, means: 'credentials' },
  { status: 403, means: 'forbidden' },
  { status: NOT_FOUND, means: 'missing' },
  { status: 429, means: 'busy' },
];

/** The provider's words when it is itself away; other rules could take them for those about a machine. */
const AWAY =
  /\b(?:service|api|system)(?: is)?(?: currently| temporarily)? (?:unavailable|not available)/i;

/** The provider's own codes of errors, for the few that a caller must distinguish. */
const codeOf = new WeakMap<object, string>();

/** The code of the refusal that became this error; null = it was none, or had none. */
export function refusalCode(error: unknown): string | null {
  return typeof error === 'object' && error !== null ? (codeOf.get(error) ?? null) : null;
}

/** The error of the port for a refusal. `provider`: its name, for the message. */
export function portError(
  provider: string,
  refusal: CallRefusal,
  rules: readonly RefusalRule[],
): BackendError {
  const error = meaningOf(provider, refusal, rules);
  if (refusal.code !== null) codeOf.set(error, refusal.code);
  return error;
}

function meaningOf(
  provider: string,
  refusal: CallRefusal,
  rules: readonly RefusalRule[],
): BackendError {
  const message = `${provider}: ${refusal.text}`;
  // This answer comes from a proxy in between, which has no facts about the provider's machines.
  if (refusal.status === NOT_FOUND && refusal.code === null) return new NoAnswerError(message);
  if (refusal.status >= 500 && (refusal.code === null || AWAY.test(refusal.text))) {
    return new NoAnswerError(message);
  }
  const rule = [...rules, ...COMMON].find((one) => fits(one, refusal));
  switch (rule?.means) {
    case 'no-capacity':
      return new NoCapacityError(message);
    case 'quota':
      return new QuotaError(message);
    case 'credentials':
      return new CredentialsError(message);
    case 'busy':
      return new BusyError(message);
    case 'not-now':
      return new NotNowError(message);
    case 'missing':
      return new MissingThingError(message);
    case 'forbidden':
      return new BackendError(`${message} (the credentials do not allow it)`);
    case undefined:
      // Whether the provider has carried it out is unknown.
      return refusal.status >= 500 ? new NoAnswerError(message) : new BackendError(message);
  }
}

function fits({ status, code, text }: RefusalRule, refusal: CallRefusal): boolean {
  if (status !== undefined && status !== refusal.status) return false;
  if (code !== undefined && !isCode(code, refusal.code ?? '')) return false;
  return text === undefined || (refusal.code !== null && text.test(refusal.text));
}

function isCode(wanted: string, code: string): boolean {
  return wanted.endsWith('*') ? code.startsWith(wanted.slice(0, -1)) : code === wanted;
}
