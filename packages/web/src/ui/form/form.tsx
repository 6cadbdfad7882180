import type { ReactNode } from 'react';
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

/** Fields below each other, an error about the whole, and buttons. Enter submits. */
export function Form({ onSubmit, error, actions, children, label }: FormProps) {
  return (
    <form
      className={styles.form}
      aria-label={label}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit();
      }}
    >
      {children}
      {error == null ? null : <InlineError text={error} />}
      <div className={styles.actions}>{actions}</div>
    </form>
  );
}

/** Short fields beside each other. */
export function FormRow({ children }: { readonly children: ReactNode }) {
  return <div className={styles.row}>{children}</div>;
}
