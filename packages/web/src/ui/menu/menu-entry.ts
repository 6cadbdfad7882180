import type { ReactElement, ReactNode } from 'react';

export interface MenuProps {
  /** The button that opens the menu. */
  readonly trigger: ReactElement<object>;
  readonly entries: readonly MenuEntry[];
  readonly align?: 'start' | 'end';
}

/** An entry of a menu. Entries are data, because the code of a menu is loaded when it is opened. */
export type MenuEntry =
  | MenuAction
  | MenuSwitch
  | MenuOrder
  | MenuChoice
  | MenuHeading
  | 'separator';

export interface MenuAction {
  readonly kind: 'action';
  /** Needed where two entries have the same label. */
  readonly id?: string;
  readonly label: string;
  readonly icon?: ReactNode;
  readonly keys?: string;
  readonly danger?: boolean;
  readonly disabled?: boolean;
  readonly onSelect?: () => void;
  /** A link instead of a button. */
  readonly render?: ReactElement;
}

export interface MenuSwitch {
  readonly kind: 'switch';
  readonly id?: string;
  readonly label: string;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
}

/** Switches whose order the reader chooses. */
export interface MenuOrder {
  readonly kind: 'order';
  readonly label: string;
  readonly items: readonly {
    readonly id: string;
    readonly label: string;
    readonly checked: boolean;
  }[];
  readonly onCheck: (id: string, checked: boolean) => void;
  readonly onMove: (id: string, place: number) => void;
}

export interface MenuChoice {
  readonly kind: 'choice';
  readonly label: string;
  readonly value: string;
  readonly choices: readonly (readonly [value: string, label: string])[];
  readonly onChange: (value: string) => void;
}

export interface MenuHeading {
  readonly kind: 'heading';
  readonly label: string;
}
