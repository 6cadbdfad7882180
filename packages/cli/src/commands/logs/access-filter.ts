/** Which requests of a service `dstack logs --access` prints. */
import type { AccessRecord } from '@dstack/contract/wire';
import { UsageError } from '../../errors.ts';

export interface AccessFilter {
  /** Statuses (`404`) and hundreds of them (`5xx`); empty = all. */
  readonly statuses: readonly string[];
  /** How the path begins; null = any. */
  readonly path: string | null;
  /** At least so many milliseconds; null = any. */
  readonly slowMs: number | null;
  /** Number of the replica that has answered; null = any. */
  readonly replica: number | null;
}

export interface AccessFlags {
  readonly access?: boolean | undefined;
  readonly status?: string | undefined;
  readonly path?: string | undefined;
  readonly slow?: string | undefined;
  readonly replica?: number | undefined;
}

const STATUS = /^[1-9](xx|\d\d)$/;

/** @throws UsageError for values that mean nothing, and without `--access`. */
export function accessFilter({ access, status, path, slow, replica }: AccessFlags): AccessFilter {
  if (!access) {
    const [flag] = Object.entries({ status, path, slow }).find(([, value]) => value) ?? [];
    if (flag !== undefined) {
      throw new UsageError(`--${flag} can only be used with --access`, {
        why: 'it selects requests of a service',
      });
    }
  }
  const statuses = status?.split(',').map((one) => one.trim()) ?? [];
  const wrong = statuses.find((one) => !STATUS.test(one));
  if (wrong !== undefined) {
    throw new UsageError(`"${wrong}" is not a status`, { why: 'expected 404, 5xx or 404,5xx' });
  }
  return {
    statuses,
    path: path ?? null,
    slowMs: slow === undefined ? null : milliseconds(slow),
    replica: access ? (replica ?? null) : null,
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

function milliseconds(text: string): number {
  const [, digits, unit = 's'] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)?$/.exec(text.trim()) ?? [];
  if (digits === undefined) {
    throw new UsageError(`Cannot read --slow "${text}"`, { why: 'expected 500ms, 2s or 1m' });
  }
  return Number(digits) * (UNIT_MS[unit] ?? 1000);
}

export function isEverything({ statuses, path, slowMs, replica }: AccessFilter): boolean {
  return statuses.length === 0 && path === null && slowMs === null && replica === null;
}

/** `replica`: the number of the replica that has answered; null = it is not known, or none has. */
export function isWanted(
  { status, path, ms }: AccessRecord,
  replica: number | null,
  filter: AccessFilter,
): boolean {
  const { statuses } = filter;
  const hundreds = `${Math.floor(status / 100)}xx`;
  return (
    (statuses.length === 0 || statuses.includes(String(status)) || statuses.includes(hundreds)) &&
    (filter.path === null || path.startsWith(filter.path)) &&
    (filter.slowMs === null || ms >= filter.slowMs) &&
    (filter.replica === null || filter.replica === replica)
  );
}
