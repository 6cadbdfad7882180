import styles from './feedback.module.css';

/** The place of content that is being loaded for the first time. */
export function Skeleton({ lines = 3, height }: { readonly lines?: number; height?: string }) {
  return (
    <div className={styles.skeleton} role="status">
      <span className="visually-hidden">Loading</span>
      {WIDTHS.slice(0, lines).map((width) => (
        <div
          key={width}
          className={styles.bone}
          style={{ width: `${width}%`, ...(height === undefined ? {} : { height }) }}
        />
      ))}
    </div>
  );
}

const WIDTHS = [72, 94, 58, 81, 66, 89, 49, 77];
