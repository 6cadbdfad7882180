import styles from './logo.module.css';

/** The mark and the name. */
export function Logo() {
  return (
    <span className={styles.logo}>
      <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" className={styles.ground} />
        <path d="M7 11.5 16 7l9 4.5-9 4.5z" className={styles.top} />
        <path d="m7 16.2 9 4.5 9-4.5M7 20.8l9 4.5 9-4.5" className={styles.layers} />
      </svg>
      dstack
    </span>
  );
}
