import styles from './json-tree.module.css';
import { visibleText } from './visible-text.ts';

export interface JsonTreeProps {
  readonly value: unknown;
  /** Levels that are open at first. */
  readonly open?: number;
}

/** JSON that can be folded. Built on `details`, so that keyboards and the browser's search work. */
export function JsonTree({ value, open = 2 }: JsonTreeProps) {
  return (
    <div className={styles.tree}>
      <Node name={null} value={value} open={open} />
    </div>
  );
}

interface NodeProps {
  readonly name: string | null;
  readonly value: unknown;
  readonly open: number;
}

function Node({ name, value, open }: NodeProps) {
  const label = name === null ? null : <span className={styles.name}>{visibleText(name)}: </span>;
  if (typeof value !== 'object' || value === null) {
    return (
      <div className={styles.leaf}>
        {label}
        <span className={styles.value} data-type={value === null ? 'null' : typeof value}>
          {visibleText(JSON.stringify(value))}
        </span>
      </div>
    );
  }
  const entries = Object.entries(value);
  const [left, right] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  if (entries.length === 0) {
    return (
      <div className={styles.leaf}>
        {label}
        <span className={styles.bracket}>
          {left}
          {right}
        </span>
      </div>
    );
  }
  return (
    <details open={open > 0} className={styles.node}>
      <summary className={styles.summary}>
        {label}
        <span className={styles.bracket}>
          {left} {entries.length} {right}
        </span>
      </summary>
      <div className={styles.children}>
        {entries.map(([key, child]) => (
          <Node key={key} name={key} value={child} open={open - 1} />
        ))}
      </div>
    </details>
  );
}
