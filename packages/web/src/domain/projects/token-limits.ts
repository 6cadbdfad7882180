import type { ServiceToken } from '@dstack/contract/wire';
import { count } from '../format/quantities.ts';

/** The models or services that a token may use; null: the token is not limited to them. */
export function reachText({
  scope,
  models,
  services,
}: Pick<ServiceToken, 'scope' | 'models' | 'services'>) {
  if (scope === 'services') return services?.join(', ') ?? null;
  return scope === 'models' ? (models?.join(', ') ?? 'all models') : null;
}

/** The limits of a token with what is used of them. */
export function limitTexts({ limits, used }: Pick<ServiceToken, 'limits' | 'used'>): string[] {
  const texts: string[] = [];
  if (limits === null) return texts;
  const { requests_per_minute: rate, tokens_per_day: day, tokens_per_month: month } = limits;
  if (rate !== null) texts.push(`${count(rate)} requests/min`);
  if (day !== null) texts.push(`${count(used.day)} of ${count(day)} tokens today`);
  if (month !== null) texts.push(`${count(used.month)} of ${count(month)} this month`);
  return texts;
}

/** A whole number above 0, also as `200k` or `3M`; null: no limit; undefined: another text. */
export function parsedLimit(text: string): number | null | undefined {
  if (text.trim() === '') return null;
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmg]?)$/i.exec(text.trim()) ?? [];
  const value = Number(digits) * ({ k: 1e3, m: 1e6, g: 1e9 }[unit.toLowerCase()] ?? 1);
  return digits !== '' && Number.isInteger(value) && value > 0 ? value : undefined;
}

/** Names separated by commas; null: none is given. */
export function namesIn(text: string): string[] | null {
  const names = text.split(',').map((name) => name.trim());
  const given = names.filter((name) => name !== '');
  return given.length === 0 ? null : given;
}
