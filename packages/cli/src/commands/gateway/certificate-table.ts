import type { Gateway } from '@dstack/contract/wire';
import { utcTime } from '../../format/time.ts';
import type { Style } from '../../terminal/style.ts';
import { renderTable, type TableLayout } from '../../terminal/table.ts';

type Certificate = NonNullable<Gateway['certificates']>[number];

const STYLES: Readonly<Record<string, Style>> = {
  valid: 'good-bold',
  pending: 'progress-bold',
  failed: 'bad-bold',
  expired: 'bad-bold',
};

/** The certificates of one gateway; empty if it has none. */
export function renderCertificateTable(
  certificates: readonly Certificate[],
  layout: TableLayout,
): string {
  if (certificates.length === 0) return '';
  return renderTable(
    [
      { header: 'CERTIFICATE', keep: true },
      { header: 'SOURCE', optional: 3 },
      { header: 'STATE', keep: true },
      { header: 'EXPIRES', optional: 1 },
      { header: 'RENEWAL', optional: 2 },
      { header: 'ERROR', below: 40 },
    ],
    certificates.map(({ domain, source, state, expires_at, renews_at, message }) => [
      { text: domain, style: 'bold' },
      source,
      { text: state, style: STYLES[state] ?? 'plain' },
      expires_at === null ? '' : utcTime(expires_at),
      renews_at === null ? '' : utcTime(renews_at),
      message ?? '',
    ]),
    layout,
  );
}

/** One cell about all certificates of a gateway: `2 valid, 1 failed`. */
export function certificateSummary(certificates: readonly Certificate[]): {
  readonly text: string;
  readonly style: Style;
} {
  const counts = new Map<string, number>();
  for (const { state } of certificates) counts.set(state, (counts.get(state) ?? 0) + 1);
  const order = Object.keys(STYLES).filter((state) => counts.has(state));
  const text = order.map((state) => `${counts.get(state)} ${state}`).join(', ');
  const isBad = counts.has('failed') || counts.has('expired');
  return { text, style: isBad ? 'bad-bold' : 'plain' };
}
