import { ApiError } from '@dstack/client';
import type { SourceProblem } from './configuration-source.ts';

interface Detail {
  readonly msg: string;
  readonly loc: readonly (string | number)[];
}

const TYPES = ['task', 'service', 'dev-environment', 'fleet', 'volume', 'gateway'];

/** The errors of a refused plan, each at its line. */
export function serverProblems(
  error: unknown,
  lineOf: (path: readonly PropertyKey[]) => number,
): readonly SourceProblem[] {
  if (!(error instanceof ApiError) || error.status >= 500 || error.status === 403) return [];
  return detailsOf(error.body).map(({ loc, msg }) => {
    const path = pathOf(loc, msg);
    const message = withPath(path, msg.replace(/^Value error, /, ''));
    return { line: lineOf(path), message, path };
  });
}

const withPath = (path: readonly PropertyKey[], text: string): string =>
  path.length === 0 || text.startsWith(`${path.join('.')}:`) ? text : `${path.join('.')}: ${text}`;

/** `body.run_spec.configuration.task.resources.gpu` is `resources.gpu` in the text. */
function pathOf(loc: readonly (string | number)[], message: string): readonly PropertyKey[] {
  const at = loc.indexOf('configuration');
  if (at < 0) {
    // Rules about several keys begin with the name of the one to change.
    const [, named = ''] = /^([a-z_]{1,40}(?:\.\w{1,40}){0,8}): /.exec(message) ?? [];
    return named === '' ? [] : named.split('.');
  }
  const rest = loc.slice(at + 1);
  return TYPES.includes(String(rest[0])) ? rest.slice(1) : rest;
}

function detailsOf(body: unknown): readonly Detail[] {
  const detail = isRecord(body) ? body.detail : undefined;
  const items = Array.isArray(detail) ? detail : [detail];
  return items.flatMap((item): Detail[] => {
    if (typeof item === 'string') return [{ msg: item, loc: [] }];
    if (!isRecord(item) || typeof item.msg !== 'string') return [];
    return [{ msg: item.msg, loc: Array.isArray(item.loc) ? item.loc : [] }];
  });
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
