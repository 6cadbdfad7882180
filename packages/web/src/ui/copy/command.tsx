import { visibleText } from '../code/visible-text.ts';
import styles from './command.module.css';
import { CopyButton } from './copy-button.tsx';

/** Commands or a configuration to copy. */
export function CommandBlock(props: { readonly text: string; readonly label?: string }) {
  const { text, label = 'Copy the command' } = props;
  return (
    <div className={styles.command}>
      <pre className={styles.text}>
        <code>{visibleText(text)}</code>
      </pre>
      <CopyButton text={text} label={label} className={styles.copy} />
    </div>
  );
}
