import { Menu as Base } from '@base-ui/react/menu';
import { useEffect, useRef } from 'react';
import { classNames } from '../class-names.ts';
import { KeyHint } from '../keyboard/key-hint.tsx';
import styles from './menu.module.css';
import type { MenuAction, MenuChoice, MenuEntry, MenuProps, MenuSwitch } from './menu-entry.ts';
import { OrderedSwitches } from './menu-order.tsx';

export interface MenuPopupProps extends MenuProps {
  /** The stand-in was pressed: the menu opens as soon as it is drawn. */
  readonly openAtOnce: boolean;
}

/** The whole menu, with its button. */
export function MenuPopup({ trigger, entries, align = 'end', openAtOnce }: MenuPopupProps) {
  const button = useRef<HTMLButtonElement>(null);
  // A press on the button, rather than a prop: the library then knows where the focus returns to.
  useEffect(() => {
    if (!openAtOnce) return;
    button.current?.focus();
    button.current?.click();
  }, [openAtOnce]);
  return (
    <Base.Root>
      <Base.Trigger ref={button} render={trigger} />
      <Base.Portal>
        <Base.Positioner className={styles.positioner} sideOffset={5} align={align}>
          <Base.Popup className={styles.popup}>
            <Entries entries={entries} />
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

export function Entries({ entries }: { readonly entries: readonly MenuEntry[] }) {
  return entries.map((entry, index) => <Entry key={keyOf(entry, index)} entry={entry} />);
}

function keyOf(entry: MenuEntry, index: number): string {
  if (entry === 'separator') return `separator-${index}`;
  return 'id' in entry && entry.id !== undefined ? entry.id : entry.label;
}

function Entry({ entry }: { readonly entry: MenuEntry }) {
  if (entry === 'separator') return <Base.Separator className={styles.separator} />;
  switch (entry.kind) {
    case 'action':
      return <Action {...entry} />;
    case 'switch':
      return <Switch {...entry} />;
    case 'order':
      return <OrderedSwitches {...entry} />;
    case 'choice':
      return <Choice {...entry} />;
    case 'heading':
      return <div className={styles.heading}>{entry.label}</div>;
  }
}

function Action({ icon, label, keys, danger, disabled, onSelect, render }: MenuAction) {
  return (
    <Base.Item
      className={classNames(styles.item, danger && styles.danger)}
      disabled={disabled ?? false}
      {...(onSelect ? { onClick: onSelect } : {})}
      {...(render ? { render } : {})}
    >
      <span className={styles.icon}>{icon}</span>
      <span className={styles.label}>{label}</span>
      {keys === undefined ? null : <KeyHint keys={keys} />}
    </Base.Item>
  );
}

function Switch({ label, checked, onChange }: MenuSwitch) {
  return (
    <Base.CheckboxItem
      className={styles.item}
      checked={checked}
      onCheckedChange={onChange}
      closeOnClick={false}
    >
      <span className={styles.check}>
        <Base.CheckboxItemIndicator>✓</Base.CheckboxItemIndicator>
      </span>
      <span className={styles.label}>{label}</span>
    </Base.CheckboxItem>
  );
}

function Choice({ label, value, choices, onChange }: MenuChoice) {
  return (
    <Base.RadioGroup value={value} onValueChange={(next: string) => onChange(next)}>
      <Base.Group>
        <Base.GroupLabel className={styles.groupLabel}>{label}</Base.GroupLabel>
        {choices.map(([of, text]) => (
          <Base.RadioItem key={of} value={of} className={styles.item} closeOnClick={false}>
            <span className={styles.check}>
              <Base.RadioItemIndicator>✓</Base.RadioItemIndicator>
            </span>
            <span className={styles.label}>{text}</span>
          </Base.RadioItem>
        ))}
      </Base.Group>
    </Base.RadioGroup>
  );
}
