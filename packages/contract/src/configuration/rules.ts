import * as z from 'zod';
import { nearest } from '../grammar/nearest.ts';
import type { IssueParams } from './issue.ts';

/**
 * Reports a broken rule. `keys`: the keys that the rule is about; `path`: the key to report, the
 * whole map if omitted.
 */
export type Break = (
  keys: readonly string[],
  message: string,
  path?: readonly PropertyKey[],
) => void;

/**
 * Adds rules over several keys to a model; a rule sees null for a key that was refused. Rules run
 * even if other keys are invalid, so that all findings are reported at once. A rule is skipped if
 * one of its own keys is invalid, or if an unknown key looks like one of them.
 */
export function withRules<S extends z.ZodObject>(
  model: S,
  check: (value: z.output<S>, broken: Break) => void,
): S {
  const known = Object.keys(model.shape);
  const rules = z.check<z.output<S>>((payload) => {
    const spoiled = spoiledKeys(payload.issues, known);
    const broken: Break = (keys, message, path = []) => {
      if (keys.some((key) => spoiled.has(key))) return;
      const params: IssueParams = {
        type: 'value_error',
        ctx: { error: {} },
        keys,
        depth: path.length,
      };
      payload.issues.push({
        code: 'custom',
        input: payload.value,
        path: [...path],
        message,
        params: { ...params },
      });
    };
    check(withoutWrongKeys(payload), broken);
  });
  rules._zod.def.when = (payload) => isObject(payload.value) && !isRefused(payload.issues);
  return model.check(rules);
}

/** The value of a refused key may have any type; the rules see null there. */
function withoutWrongKeys<T>(payload: { value: T; issues: readonly z.core.$ZodRawIssue[] }): T {
  const wrong = payload.issues.flatMap((issue) => (issue.path ?? []).slice(0, 1));
  const blanks = wrong.map((key): [PropertyKey, null] => [key, null]);
  return blanks.length > 0 ? { ...payload.value, ...Object.fromEntries(blanks) } : payload.value;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value is not a map. */
function isRefused(issues: readonly z.core.$ZodRawIssue[]): boolean {
  return issues.some((issue) => issue.code === 'invalid_type' && (issue.path ?? []).length === 0);
}

function spoiledKeys(
  issues: readonly z.core.$ZodRawIssue[],
  known: readonly string[],
): Set<string> {
  const keys = new Set<string>();
  for (const issue of issues) {
    const [first] = issue.path ?? [];
    if (first === undefined || keys.has(String(first))) continue;
    keys.add(String(first));
    const meant = known.includes(String(first)) ? undefined : nearest(String(first), known);
    if (meant) keys.add(meant);
  }
  return keys;
}

interface ImageChoice {
  readonly image: string | null;
  readonly python: string | null;
  readonly nvcc: boolean | null;
  readonly docker: boolean | null;
}

/** Rules about the image of a run: `python` and `docker` select one of dstack's own images. */
export function checkImageChoice(value: ImageChoice, broken: Break): void {
  if (value.python != null && value.image) {
    broken(['image', 'python'], "can't be used with image: remove one of them", ['python']);
  }
  if (value.docker !== true) return;
  const others = [
    value.image ? 'image' : undefined,
    value.python != null ? 'python' : undefined,
    value.nvcc ? 'nvcc' : undefined,
  ].filter((key) => key !== undefined);
  if (others.length > 0) {
    const message = `can't be true with ${others.join(' and ')}: docker comes with an image of its own`;
    broken(['docker', ...others], message, ['docker']);
  }
}

/** The first name that occurs twice. */
export function firstDuplicate(names: readonly string[]): string | undefined {
  return names.find((name, index) => names.indexOf(name) !== index);
}
