import { Search } from 'lucide-react';
import { type ReactNode, type Ref, useId } from 'react';
import { KeyHint } from '../keyboard/key-hint.tsx';
import styles from './search-input.module.css';

export interface SearchInputProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly ref?: Ref<HTMLInputElement>;
  /** Enter was pressed, with Shift or without. */
  readonly onEnter?: (shift: boolean) => void;
  /** The error in the text, which is shown below the field without moving other content. */
  readonly problem?: string | null;
  /** Switches that belong to the field. */
  readonly children?: ReactNode;
  /** Keys that move the focus here. */
  readonly keys?: string;
}

/** Filters what is on the page while the reader types. */
export function SearchInput(props: SearchInputProps) {
  const { label, value, onChange, onEnter, ref, keys, problem = null, children } = props;
  const id = useId();
  return (
    <div className={styles.search} data-invalid={problem !== null || undefined}>
      <Search size={14} aria-hidden="true" />
      <input
        ref={ref}
        type="search"
        className={styles.input}
        aria-label={label}
        aria-invalid={problem !== null || undefined}
        aria-describedby={problem === null ? undefined : id}
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
      {children}
      {problem === null ? null : (
        <p id={id} className={styles.problem} role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}
