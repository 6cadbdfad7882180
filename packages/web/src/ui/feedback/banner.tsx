import type { LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Tone } from '../status/tone.ts';
import styles from './feedback.module.css';

export interface BannerProps {
  readonly tone: Extract<Tone, 'starting' | 'warning' | 'failed' | 'queued'>;
  readonly icon: LucideIcon;
  readonly children: ReactNode;
  readonly actions?: ReactNode;
}

/** A message about the whole page or panel. */
export function Banner({ tone, icon: Icon, children, actions }: BannerProps) {
  return (
    <div className={styles.banner} data-tone={tone}>
      <Icon size={16} aria-hidden="true" className={styles.bannerIcon} />
      <div className={styles.bannerText}>{children}</div>
      {actions === undefined ? null : <div className={styles.bannerActions}>{actions}</div>}
    </div>
  );
}
