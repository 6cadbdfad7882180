import { Menu as Base } from '@base-ui/react/menu';
import type { ReactElement, ReactNode } from 'react';
import { classNames } from '../class-names.ts';
import { KeyHint } from '../keyboard/key-hint.tsx';
import styles from './menu.module.css';

export interface MenuProps {
  /** The button that opens the menu. */
  readonly trigger: ReactElement;
  readonly children: ReactNode;
  readonly align?: 'start' | 'end';
}

/** A menu of actions behind a button. */
export function Menu({ trigger, children, align = 'end' }: MenuProps) {
  return (
    <Base.Root>
      <Base.Trigger render={trigger} />
      <Base.Portal>
        <Base.Positioner className={styles.positioner} sideOffset={5} align={align}>
          <Base.Popup className={styles.popup}>{children}</Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

export interface MenuItemProps {
  readonly icon?: ReactNode;
  readonly keys?: string | undefined;
  readonly danger?: boolean;
  readonly disabled?: boolean;
  readonly onSelect?: () => void;
  /** A link instead of a button. */
  readonly render?: ReactElement;
  readonly children: ReactNode;
}

export function MenuItem(props: MenuItemProps) {
  const { icon, keys, danger, disabled, onSelect, render, children } = props;
  const content = (
    <>
      <span className={styles.icon}>{icon}</span>
      <span className={styles.label}>{children}</span>
      {keys === undefined ? null : <KeyHint keys={keys} />}
    </>
  );
  return (
    <Base.Item
      className={classNames(styles.item, danger && styles.danger)}
      disabled={disabled ?? false}
      {...(onSelect ? { onClick: onSelect } : {})}
      {...(render ? { render } : {})}
    >
      {content}
    </Base.Item>
  );
}

export function MenuCheckbox(props: {
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
  readonly disabled?: boolean;
  readonly children: ReactNode;
}) {
  return (
    <Base.CheckboxItem
      className={styles.item}
      checked={props.checked}
      onCheckedChange={props.onChange}
      disabled={props.disabled ?? false}
      closeOnClick={false}
    >
      <span className={styles.check}>
        <Base.CheckboxItemIndicator>✓</Base.CheckboxItemIndicator>
      </span>
      <span className={styles.label}>{props.children}</span>
    </Base.CheckboxItem>
  );
}

export function MenuChoice<T extends string>(props: {
  readonly value: T;
  readonly onChange: (value: T) => void;
  readonly label: string;
  readonly choices: readonly (readonly [value: T, label: string])[];
}) {
  return (
    <Base.RadioGroup value={props.value} onValueChange={(value: T) => props.onChange(value)}>
      <Base.Group>
        <Base.GroupLabel className={styles.groupLabel}>{props.label}</Base.GroupLabel>
        {props.choices.map(([value, label]) => (
          <Base.RadioItem key={value} value={value} className={styles.item} closeOnClick={false}>
            <span className={styles.check}>
              <Base.RadioItemIndicator>✓</Base.RadioItemIndicator>
            </span>
            <span className={styles.label}>{label}</span>
          </Base.RadioItem>
        ))}
      </Base.Group>
    </Base.RadioGroup>
  );
}

export function MenuSeparator() {
  return <Base.Separator className={styles.separator} />;
}

export function MenuHeading({ children }: { readonly children: ReactNode }) {
  return <div className={styles.heading}>{children}</div>;
}
