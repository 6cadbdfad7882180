import type { Run } from '@dstack/contract/wire';
import { ExternalLink } from 'lucide-react';
import { connectionOf } from '../../domain/runs/connection.ts';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { CopyButton } from '../../ui/copy/copy-button.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import styles from './connect-panel.module.css';

/** Commands, editors, ports and addresses of a run that has not ended. */
export function ConnectPanel({ run }: { readonly run: Run }) {
  const connection = connectionOf(run, location.origin);
  if (connection.kind === 'ended') return null;
  return (
    <Panel title="Connect">
      {connection.kind === 'not-yet' ? (
        <p className={styles.notYet}>{connection.text}</p>
      ) : (
        <ul className={styles.steps}>
          {connection.steps.map((step) => (
            <li key={step.kind === 'link' ? step.url : step.command} className={styles.step}>
              <h3 className={styles.title}>{step.title}</h3>
              {step.kind === 'command' ? (
                <CommandBlock text={step.command} />
              ) : (
                <div className={styles.linkLine}>
                  <a href={step.url} target="_blank" rel="noreferrer" className={styles.link}>
                    <span>{step.label}</span>
                    <ExternalLink size={13} aria-hidden="true" />
                  </a>
                  <CopyButton text={step.url} label="Copy the address" />
                </div>
              )}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
