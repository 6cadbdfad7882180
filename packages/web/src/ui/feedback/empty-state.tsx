import type { LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import styles from './feedback.module.css';

export interface EmptyStateProps {
  readonly icon: LucideIcon;
  readonly title: string;
  /** What to do next; may contain commands. */
  readonly children?: ReactNode;
  readonly actions?: ReactNode;
}

/** In place of a list without entries. It teaches the next step. */
export function EmptyState({ icon: Icon, title, children, actions }: EmptyStateProps) {
  return (
    <div className={styles.state}>
      <Icon size={26} aria-hidden="true" className={styles.stateIcon} />
      <h2 className={styles.stateTitle}>{title}</h2>
      {children === undefined ? null : <div className={styles.stateText}>{children}</div>}
      {actions === undefined ? null : <div className={styles.stateActions}>{actions}</div>}
    </div>
  );
}
