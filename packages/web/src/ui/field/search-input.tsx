import { Search } from 'lucide-react';
import type { Ref } from 'react';
import { KeyHint } from '../keyboard/key-hint.tsx';
import styles from './search-input.module.css';

export interface SearchInputProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly ref?: Ref<HTMLInputElement>;
  /** Enter was pressed, with Shift or without. */
  readonly onEnter?: (shift: boolean) => void;
  /** Keys that move the focus here. */
  readonly keys?: string;
}

/** Filters what is on the page while the reader types. */
export function SearchInput(props: SearchInputProps) {
  const { label, value, onChange, onEnter, ref, keys } = props;
  return (
    <div className={styles.search}>
      <Search size={14} aria-hidden="true" />
      <input
        ref={ref}
        type="search"
        className={styles.input}
        aria-label={label}
        placeholder={label}
        value={value}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') event.currentTarget.blur();
          if (event.key === 'Enter') onEnter?.(event.shiftKey);
        }}
      />
      {keys === undefined || value !== '' ? null : <KeyHint keys={keys} />}
    </div>
  );
}
