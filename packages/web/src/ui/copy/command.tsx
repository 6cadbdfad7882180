import styles from './command.module.css';
import { CopyButton } from './copy-button.tsx';

/** Commands or a configuration to copy. */
export function CommandBlock(props: {
  readonly text: string;
  /** The text to copy where it differs, for example because a token is masked on the page. */
  readonly copy?: string | (() => string | Promise<string>);
  readonly label?: string;
}) {
  const { text, copy = text, label = 'Copy the command' } = props;
  return (
    <div className={styles.command}>
      <pre className={styles.text}>
        <code>{text}</code>
      </pre>
      <CopyButton text={copy} label={label} className={styles.copy} />
    </div>
  );
}
