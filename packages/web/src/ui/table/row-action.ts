import type { LucideIcon } from 'lucide-react';

/** Something that can be done with one row, in its menu. */
export interface RowAction {
  readonly label: string;
  readonly icon: LucideIcon;
  /** One key, while the row has the focus; of quick actions only. */
  readonly keys?: string;
  /** Also a button in the row while the pointer or the focus is there. */
  readonly quick?: boolean;
  /** Why it cannot be done now. */
  readonly disabledReason?: string | null;
  readonly danger?: boolean;
  readonly run: () => void;
}

export type RowActionsOf<Row> = (row: Row) => readonly RowAction[];
