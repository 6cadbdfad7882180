import { plural } from '../../domain/format/quantities.ts';
import type { LogQuery } from '../../domain/logs/use-log-search.ts';
import type { RestSearch } from '../../domain/logs/use-rest-search.ts';
import { Button } from '../../ui/button/button.tsx';
import { visibleText } from '../../ui/code/visible-text.ts';
import { absoluteTime } from '../../ui/time/format-time.ts';
import styles from './rest-matches.module.css';

export interface RestMatchesProps {
  readonly query: LogQuery;
  readonly search: RestSearch;
  /** The time of the first line that is loaded. */
  readonly before: number | null;
  readonly onTime: (time: number) => void;
}

/** The lines that the server finds in the output before the loaded part. */
export function RestMatches({ query, search, before, onTime }: RestMatchesProps) {
  const { text, matchCase, isPattern } = query;
  const { state, start, stop } = search;
  if (text === '') return null;
  if (isPattern) {
    return (
      <p className={styles.note}>
        The output before that is not loaded; the server searches it for text, not for expressions.
      </p>
    );
  }
  if (state === null) {
    return (
      <p className={styles.note}>
        The output before that is not loaded.{' '}
        <Button size="sm" onClick={() => start(text, matchCase, before)}>
          Search it on the server
        </Button>
      </p>
    );
  }
  const { kind, matches, isCut } = state;
  const found = `${plural(matches.length, 'line')} before the loaded part`;
  return (
    <section className={styles.found} aria-label="Found by the server">
      <p className={styles.note} role="status">
        {kind === 'searching' ? `${found}, searching` : null}
        {kind === 'done' ? (isCut ? `the last ${found}; there may be more` : found) : null}
        {kind === 'failed' ? `${found}; the search failed` : null}{' '}
        <Button size="sm" onClick={stop}>
          {kind === 'searching' ? 'Stop' : 'Close'}
        </Button>
      </p>
      <ul className={styles.list}>
        {matches.map((match, index) => (
          // Lines may be equal, even in their times; the list only grows at its end.
          // biome-ignore lint/suspicious/noArrayIndexKey: see above
          <li key={index}>
            <button type="button" className={styles.match} onClick={() => onTime(match.time)}>
              <time>{absoluteTime(match.time)}</time>
              <span>{visibleText(match.text)}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
