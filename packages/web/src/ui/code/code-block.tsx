import { CopyButton } from '../copy/copy-button.tsx';
import { ScrollRegion } from '../panel/scroll-region.tsx';
import styles from './code-block.module.css';
import { visibleText } from './visible-text.ts';

export interface CodeBlockProps {
  readonly text: string;
  /** The name of the text, for screen readers. */
  readonly label: string;
  /** Not higher than this; longer texts scroll. */
  readonly maxHeight?: string;
}

/** A longer text to read and copy. */
export function CodeBlock({ text, label, maxHeight }: CodeBlockProps) {
  return (
    <div className={styles.block}>
      <ScrollRegion label={label} className={styles.scroller} style={{ maxHeight }}>
        <pre>
          <code>{visibleText(text)}</code>
        </pre>
      </ScrollRegion>
      <CopyButton text={text} label={`Copy: ${label}`} className={styles.copy} />
    </div>
  );
}
