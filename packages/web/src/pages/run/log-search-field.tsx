import { CaseSensitive, ChevronDown, ChevronUp, Regex } from 'lucide-react';
import type { Ref } from 'react';
import { count, plural } from '../../domain/format/quantities.ts';
import { MAX_HITS } from '../../domain/logs/log-search.ts';
import type { LogQuery, LogSearchResult } from '../../domain/logs/use-log-search.ts';
import { IconButton } from '../../ui/button/button.tsx';
import { SearchInput } from '../../ui/field/search-input.tsx';
import styles from './log-panel.module.css';

export interface LogSearchFieldProps {
  readonly ref: Ref<HTMLInputElement>;
  readonly query: LogQuery;
  readonly result: LogSearchResult;
  /** The part of the output that is searched, in words; null: the whole output. */
  readonly part: string | null;
  /** The number of the present hit, −1: none. */
  readonly current: number;
  readonly onQuery: (query: LogQuery) => void;
  readonly onMove: (step: 1 | -1) => void;
}

/** The search of a log: its text, its options, and the number of hits. */
export function LogSearchField(props: LogSearchFieldProps) {
  const { ref, query, result, part, current, onQuery, onMove } = props;
  return (
    <search className={styles.search}>
      <SearchInput
        ref={ref}
        label="Search the log"
        keys="/"
        value={query.text}
        problem={result.problem}
        onChange={(text) => onQuery({ ...query, text })}
        onEnter={(shift) => onMove(shift ? -1 : 1)}
      >
        <IconButton
          label="Match case"
          size="sm"
          pressed={query.matchCase}
          onClick={() => onQuery({ ...query, matchCase: !query.matchCase })}
        >
          <CaseSensitive size={16} />
        </IconButton>
        <IconButton
          label="Regular expression"
          size="sm"
          pressed={query.isPattern}
          onClick={() => onQuery({ ...query, isPattern: !query.isPattern })}
        >
          <Regex size={15} />
        </IconButton>
      </SearchInput>
      <IconButton label="Previous hit" keys="shift+n" size="sm" onClick={() => onMove(-1)}>
        <ChevronUp size={16} />
      </IconButton>
      <IconButton label="Next hit" keys="n" size="sm" onClick={() => onMove(1)}>
        <ChevronDown size={16} />
      </IconButton>
      <span className={styles.hits} role="status">
        {query.text === '' ? '' : hitText(result, current, part)}
      </span>
    </search>
  );
}

function hitText(
  { hits, isSearching, problem, skipped }: LogSearchResult,
  current: number,
  part: string | null,
): string {
  const { length } = hits;
  if (length === 0 && problem !== null) return '';
  // While the rest is loaded, the part that is there means nothing.
  const where = isSearching ? ', searching' : part === null ? '' : ` in ${part}`;
  if (length === 0) return isSearching ? 'searching' : `no hits${where}${skippedText(skipped)}`;
  const total = length >= MAX_HITS ? `${count(MAX_HITS)}+` : count(length);
  const text =
    current < 0 ? `${total} hit${length === 1 ? '' : 's'}` : `${count(current + 1)} of ${total}`;
  return `${text}${where}${skippedText(skipped)}`;
}

const skippedText = (skipped: number): string =>
  skipped === 0 ? '' : `, ${plural(skipped, 'line')} skipped`;
