import { CircleX } from 'lucide-react';
import { visibleText } from '../code/visible-text.ts';
import styles from './feedback.module.css';

/** An error beside the thing that failed. */
export function InlineError({ text }: { readonly text: string }) {
  return (
    <p className={styles.inlineError} role="alert">
      <CircleX size={15} aria-hidden="true" />
      <span>{visibleText(text)}</span>
    </p>
  );
}
