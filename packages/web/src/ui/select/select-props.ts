import { classNames } from '../class-names.ts';
import styles from './select.module.css';

export interface SelectOption<T extends string> {
  readonly value: T;
  readonly label: string;
  /** A second line. */
  readonly hint?: string;
}

export interface SelectProps<T extends string> {
  readonly label: string;
  /** For a label elsewhere. */
  readonly id?: string;
  readonly 'aria-describedby'?: string | undefined;
  readonly 'aria-invalid'?: true | undefined;
  readonly value: T;
  readonly options: readonly SelectOption<T>[];
  readonly onChange: (value: T) => void;
  readonly size?: 'md' | 'sm';
  /** Shows the label before the value, as filters do. */
  readonly prefix?: string;
  readonly className?: string | undefined;
  readonly disabled?: boolean;
}

export function selectClass(look: {
  readonly size?: 'md' | 'sm';
  readonly className?: string | undefined;
}): string {
  return classNames(styles.trigger, look.size === 'sm' && styles.sm, look.className);
}
