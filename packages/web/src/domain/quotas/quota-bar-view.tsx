import styles from './quota-bar-view.module.css';
import { type QuotaRow, quotaBar, usageText } from './quota-rows.ts';

/** Used, borrowed, guaranteed and the limit on one line, with the same as a text. */
export function QuotaBarView({ row }: { readonly row: QuotaRow }) {
  const text = usageText(row);
  if (row.resource === '') return <span className={styles.none}>–</span>;
  const { own, borrowed, guaranteed, limit, isOver } = quotaBar(row);
  return (
    <div className={styles.bar} role="img" aria-label={text} title={text}>
      <div className={styles.track} style={{ width: limit === null ? '100%' : part(limit) }} />
      <div className={styles.own} data-over={isOver || undefined} style={{ width: part(own) }} />
      <div
        className={styles.borrowed}
        data-over={isOver || undefined}
        style={{ left: part(own), width: part(borrowed) }}
      />
      {guaranteed === null ? null : (
        <div className={styles.guaranteed} style={{ left: part(guaranteed) }} />
      )}
    </div>
  );
}

const part = (share: number): string => `${share * 100}%`;
