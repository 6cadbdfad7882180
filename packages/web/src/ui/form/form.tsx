import { type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import { InlineError } from '../feedback/inline-error.tsx';
import styles from './form.module.css';

export interface FormProps {
  readonly onSubmit: () => void;
  readonly error?: string | null;
  /** Buttons, the one that submits last. */
  readonly actions: ReactNode;
  readonly children: ReactNode;
  readonly label?: string;
}

/**
 * Fields below each other, an error about the whole, and buttons. Enter submits. After a refusal the first
 * field with an error has the focus; an error that a field shows is not repeated below.
 */
export function Form({ onSubmit, error = null, actions, children, label }: FormProps) {
  const form = useRef<HTMLFormElement>(null);
  const [attempt, setAttempt] = useState(0);
  const [isShown, setShown] = useState(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: an attempt may be refused with the text of the one before, or by the form itself.
  useLayoutEffect(() => {
    const first = form.current?.querySelector<HTMLElement>('[aria-invalid="true"]') ?? null;
    setShown(first !== null);
    first?.focus();
  }, [error, attempt]);
  return (
    <form
      ref={form}
      className={styles.form}
      aria-label={label}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit();
        setAttempt((number) => number + 1);
      }}
    >
      {children}
      {error === null || isShown ? null : <InlineError text={error} />}
      <div className={styles.actions}>{actions}</div>
    </form>
  );
}

/** Short fields beside each other. */
export function FormRow({ children }: { readonly children: ReactNode }) {
  return <div className={styles.row}>{children}</div>;
}
