import type { LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import styles from './feedback.module.css';

export interface EmptyStateProps {
  readonly icon: LucideIcon;
  readonly title: string;
  /** The next step for the reader; may contain commands. */
  readonly children?: ReactNode;
  readonly actions?: ReactNode;
  /** It is the whole page, not a part of one. */
  readonly page?: boolean;
}

/** In place of a list without entries. It teaches the next step. */
export function EmptyState({ icon: Icon, title, children, actions, page }: EmptyStateProps) {
  const Heading = page ? 'h1' : 'h2';
  return (
    <div className={styles.state}>
      <Icon size={26} aria-hidden="true" className={styles.stateIcon} />
      <Heading className={styles.stateTitle}>{title}</Heading>
      {children === undefined ? null : <div className={styles.stateText}>{children}</div>}
      {actions === undefined ? null : <div className={styles.stateActions}>{actions}</div>}
    </div>
  );
}
