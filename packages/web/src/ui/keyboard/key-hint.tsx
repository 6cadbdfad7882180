import styles from './key-hint.module.css';

/** Keys as on the reader's keyboard: `mod+k`, `g r`. */
export function KeyHint({ keys }: { readonly keys: string }) {
  return (
    <span className={styles.keys}>
      {keys.split(' ').map((key) => (
        <kbd key={key} className={styles.key}>
          {keyLabel(key)}
        </kbd>
      ))}
    </span>
  );
}

const isMac = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform);

const LABELS: Readonly<Record<string, string>> = {
  mod: isMac ? '⌘' : 'Ctrl',
  shift: '⇧',
  enter: '↵',
  escape: 'Esc',
};

function keyLabel(key: string): string {
  const parts = key.split('+').map((part) => LABELS[part] ?? part);
  return parts.join(isMac ? '' : '+');
}
