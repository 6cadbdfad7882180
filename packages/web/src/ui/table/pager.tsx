import { ChevronLeft, ChevronRight } from 'lucide-react';
import { IconButton } from '../button/button.tsx';
import styles from './toolbar.module.css';

export interface PagerProps {
  /** `Jobs` */
  readonly noun: string;
  readonly total: number;
  /** The number of items on a page. */
  readonly size: number;
  /** The first is 1. */
  readonly page: number;
  readonly onPage: (page: number) => void;
}

/** Goes through pages of something that is too large to be shown at once; nothing where it is not. */
export function Pager({ noun, total, size, page, onPage }: PagerProps) {
  const last = Math.ceil(total / size);
  if (last <= 1) return null;
  const shown = Math.min(page, last);
  return (
    <div className={styles.pager}>
      <IconButton label="Previous" disabled={shown === 1} onClick={() => onPage(shown - 1)}>
        <ChevronLeft size={16} />
      </IconButton>
      <span>
        {noun} {(shown - 1) * size + 1}–{Math.min(total, shown * size)} of {total}
      </span>
      <IconButton label="Next" disabled={shown === last} onClick={() => onPage(shown + 1)}>
        <ChevronRight size={16} />
      </IconButton>
    </div>
  );
}

/** The items of a page; of the last one if there are fewer pages. */
export function itemsOfPage<T>(items: readonly T[], page: number, size: number): readonly T[] {
  const last = Math.max(1, Math.ceil(items.length / size));
  const from = (Math.min(page, last) - 1) * size;
  return items.slice(from, from + size);
}
