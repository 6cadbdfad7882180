import {
  CircleX,
  CloudOff,
  FileQuestionMark,
  Lock,
  type LucideIcon,
  ServerCrash,
  Timer,
} from 'lucide-react';
import type { ReactNode } from 'react';
import { Button } from '../button/button.tsx';
import { visibleText } from '../code/visible-text.ts';
import { CopyButton } from '../copy/copy-button.tsx';
import { errorText, type ProblemKind, withFullStop } from './error-text.ts';
import styles from './feedback.module.css';

const ICONS: Readonly<Record<ProblemKind, LucideIcon>> = {
  offline: CloudOff,
  slow: Timer,
  'signed-out': Lock,
  forbidden: Lock,
  missing: FileQuestionMark,
  invalid: CircleX,
  refused: CircleX,
  server: ServerCrash,
  bug: ServerCrash,
};

export interface ErrorPanelProps {
  /** Names the content that could not be shown: `The runs could not be loaded`. */
  readonly title: string;
  readonly error: unknown;
  readonly onRetry?: () => void;
  readonly actions?: ReactNode;
  /** It is the whole page, not a part of one. */
  readonly page?: boolean;
}

/** In place of content that could not be loaded: what, why, next, and a reference for reports. */
export function ErrorPanel({ title, error, onRetry, actions, page }: ErrorPanelProps) {
  const Heading = page ? 'h1' : 'h2';
  const { kind, what, next, code, requestId } = errorText(error);
  const Icon = ICONS[kind];
  const reference = [code, requestId].filter((part) => part !== null).join(' · ');
  return (
    <div className={styles.state} role="alert">
      <Icon size={26} aria-hidden="true" className={styles.stateIcon} />
      <Heading className={styles.stateTitle}>
        {kind === 'forbidden' ? `You have no access to this ${page ? 'page' : 'part'}` : title}
      </Heading>
      <p className={styles.stateText}>
        {withFullStop(visibleText(what))} {next}
      </p>
      {reference === '' ? null : (
        <p className={styles.reference}>
          <code>{reference}</code>
          <CopyButton text={reference} label="Copy the reference" />
        </p>
      )}
      <div className={styles.stateActions}>
        {onRetry === undefined ? null : <Button onClick={onRetry}>Try again</Button>}
        {actions}
      </div>
    </div>
  );
}
