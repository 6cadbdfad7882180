import * as z from 'zod';
import { WholeFloat } from '../grammar/number-text.ts';
import type { Problem } from '../grammar/problem.ts';

/** The parameters that every issue of our schemas has beside message and path. */
export interface IssueParams {
  /** Kind of failure as named in the API: `missing`, `enum`, `value_error`, … */
  readonly type: string;
  readonly ctx?: Readonly<Record<string, unknown>>;
  readonly suggestion?: string;
  /** The exact place below the issue's path; paths of alternatives end at the field. */
  readonly at?: readonly PropertyKey[];
  /** For a rule: how many elements the reported place is below the map that the rule checks. */
  readonly depth?: number;
  /**
   * Keys that a rule over several keys checks; such a rule counts only if all of them are valid.
   */
  readonly keys?: readonly string[];
}

/**
 * The maximum number of findings in one answer: a list of ten thousand invalid items has as many.
 */
export const MOST_FINDINGS = 100;

/** Where issues are added: the context of a transformation or the payload of a check. */
interface Context {
  readonly issues: z.core.$ZodRawIssue[];
}

const TAG = 'tag:';

/**
 * Element of an issue's path that is not a key of the document: the tag that selected a union's
 * branch.
 */
export function tagElement(tag: string): symbol {
  return Symbol.for(TAG + tag);
}

/** The tag's text, or undefined for an ordinary key. */
export function tagOf(element: PropertyKey): string | undefined {
  return typeof element === 'symbol' ? (element.description ?? '').slice(TAG.length) : undefined;
}

/** The issue's parameters, whether one of our schemas or zod itself created it. */
export function issueParams(issue: z.core.$ZodIssue): IssueParams | undefined {
  return issue.code === 'custom' ? (issue.params as IssueParams | undefined) : undefined;
}

/** Reports a problem for the value under validation, or for the keys below it. */
export function reportIssue(
  ctx: Context,
  input: unknown,
  problem: Problem,
  path: readonly PropertyKey[] = [],
): void {
  const params: IssueParams = {
    type: problem.type,
    ...(problem.ctx ? { ctx: problem.ctx } : {}),
    ...(problem.suggestion === undefined ? {} : { suggestion: problem.suggestion }),
    ...(problem.at.length > 0 ? { at: problem.at } : {}),
  };
  ctx.issues.push({
    code: 'custom',
    input,
    message: problem.message,
    path: [...path],
    params: { ...params },
  });
}

/** Runs another schema on (a form of) the value and adds its issues here, below `prefix`. */
export function delegate<S extends z.ZodType>(
  ctx: Context,
  schema: S,
  value: unknown,
  prefix: readonly PropertyKey[] = [],
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues.slice(0, MOST_FINDINGS)) {
    ctx.issues.push({ ...issue, input: value, path: [...prefix, ...issue.path] } as never);
  }
  return z.NEVER;
}

/**
 * Like `delegate`, but reports every issue for the value as a whole: a union shows one place to the
 * user, and the inner place is kept for line and column only.
 */
export function delegateWhole<S extends z.ZodType>(
  ctx: Context,
  schema: S,
  value: unknown,
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.slice(0, MOST_FINDINGS);
  for (const issue of issues) reportWhole(ctx, value, issue);
  return z.NEVER;
}

function reportWhole(ctx: Context, value: unknown, issue: z.core.$ZodIssue): void {
  const described = describeIssue(issue, value);
  for (const entry of described) {
    const keys = entry.path.filter((element) => typeof element !== 'symbol');
    const at = [...keys, ...(entry.at ?? [])];
    const name = keys.length > 0 ? `${keys.join('.')} ` : '';
    ctx.issues.push({
      code: 'custom',
      input: value,
      path: [],
      message: `${name}${entry.message}`,
      params: { ...entry, path: undefined, message: undefined, at },
    });
  }
}

/**
 * The findings of an error in our wording, at most `MOST_FINDINGS`. If `rules` is `last`, a rule
 * over several keys is omitted when the same map has another problem, as in dstack 0.22.5.
 */
export function describeIssues(
  error: z.core.$ZodError,
  input: unknown,
  rules: 'all' | 'last' = 'all',
): DescribedIssue[] {
  const issues = error.issues.slice(0, MOST_FINDINGS);
  const found = issues.flatMap((issue) => describeIssue(issue, input)).slice(0, MOST_FINDINGS);
  if (rules === 'all') return found;
  const plain = found.filter((issue) => issue.keys === undefined);
  return found.filter((issue) => {
    if (issue.keys === undefined) return true;
    const map = issue.path.slice(0, issue.path.length - (issue.depth ?? 0));
    return !plain.some((other) => map.every((key, index) => other.path[index] === key));
  });
}

/** One finding in our own wording. `path` may contain tags (symbols). */
export interface DescribedIssue extends IssueParams {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Converts issues that zod itself creates (unknown keys, wrong container) into our form. */
export function describeIssue(issue: z.core.$ZodIssue, input: unknown): DescribedIssue[] {
  const path = issue.path;
  const parent = path.length > 0 ? valueAt(input, path.slice(0, -1)) : undefined;
  if (parent instanceof Date || parent instanceof WholeFloat) {
    // Both are objects in JavaScript, so zod continues and reports missing keys.
    const whole = wrongContainer({ expected: 'object' }, parent);
    return [{ path: path.slice(0, -1), ...whole }];
  }
  if (issue.code === 'custom') {
    const params = issueParams(issue) ?? { type: 'value_error' };
    return [{ ...params, path, message: issue.message }];
  }
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      type: 'extra_forbidden',
      path: [...path, key],
      message: 'is not a known key here',
    }));
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.map((one) => {
      const { suggestion } = issueParams(one) ?? {};
      const params = { type: 'extra_forbidden', ...(suggestion ? { suggestion } : {}) };
      return { ...params, path, message: `is a key that ${one.message}` };
    });
  }
  if (issue.code === 'invalid_type')
    return [{ path, ...wrongContainer(issue, valueAt(input, path)) }];
  if (issue.code === 'too_small') {
    const ctx = { field_type: 'List', min_length: issue.minimum, actual_length: 0 };
    return [{ type: 'too_short', ctx, path, message: `must have ${issue.minimum} item or more` }];
  }
  if (issue.code === 'too_big') {
    const ctx = { field_type: 'List', max_length: issue.maximum };
    return [{ type: 'too_long', ctx, path, message: `must have ${issue.maximum} items at most` }];
  }
  return [{ type: 'value_error', path, message: issue.message }];
}

function wrongContainer(issue: { expected: string }, value: unknown): Omit<DescribedIssue, 'path'> {
  if (value === undefined) return { type: 'missing', message: 'is required' };
  const got = `got ${containerName(value)}`;
  if (issue.expected === 'array') {
    return { type: 'list_type', message: `must be a list (one '- item' per line), ${got}` };
  }
  if (issue.expected === 'record') {
    return { type: 'dict_type', message: `must be a map ('key: value' per line), ${got}` };
  }
  return {
    type: 'model_attributes_type',
    message: `must be a map ('key: value' per line), ${got}`,
  };
}

function containerName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Date) return 'a date (put it in quotes)';
  if (typeof value === 'object' && !(value instanceof WholeFloat)) return 'a map';
  return `'${String(value)}'`;
}

/** The value at a path of the document; tags are skipped. */
export function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) {
    if (typeof key === 'symbol') continue;
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}
