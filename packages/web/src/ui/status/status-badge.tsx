import {
  CircleAlert,
  CircleCheck,
  CircleDashed,
  CircleDot,
  CircleSlash,
  CircleX,
  Clock,
  LoaderCircle,
  type LucideIcon,
  Moon,
} from 'lucide-react';
import { classNames } from '../class-names.ts';
import styles from './status-badge.module.css';
import type { Tone } from './tone.ts';

export type StatusIcon =
  | 'waiting'
  | 'scheduled'
  | 'progress'
  | 'active'
  | 'idle'
  | 'ok'
  | 'warning'
  | 'failed'
  | 'stopped';

/** How a status is shown: always a word and an icon, never the colour alone. */
export interface StatusLook {
  readonly tone: Tone;
  readonly icon: StatusIcon;
  readonly text: string;
}

const ICONS: Readonly<Record<StatusIcon, LucideIcon>> = {
  waiting: CircleDashed,
  scheduled: Clock,
  progress: LoaderCircle,
  active: CircleDot,
  idle: Moon,
  ok: CircleCheck,
  warning: CircleAlert,
  failed: CircleX,
  stopped: CircleSlash,
};

export interface StatusBadgeProps {
  readonly look: StatusLook;
  /** With a tinted background, for headers. */
  readonly filled?: boolean;
}

export function StatusBadge({ look, filled }: StatusBadgeProps) {
  const Icon = ICONS[look.icon];
  return (
    <span
      className={classNames(styles.badge, filled && styles.filled)}
      data-tone={look.tone}
      title={look.text}
    >
      <Icon
        size={filled ? 15 : 14}
        aria-hidden="true"
        className={look.icon === 'progress' ? styles.turning : undefined}
      />
      <span className={styles.text}>{look.text}</span>
    </span>
  );
}
