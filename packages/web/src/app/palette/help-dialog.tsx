import { useState } from 'react';
import { Dialog } from '../../ui/dialog/dialog.tsx';
import { Checkbox } from '../../ui/field/field.tsx';
import { KeyHint } from '../../ui/keyboard/key-hint.tsx';
import { SHORTCUTS_OFF, useAllCommands } from '../commands/command-context.tsx';
import styles from './help-dialog.module.css';

const TABLE_KEYS: readonly (readonly [keys: string, label: string])[] = [
  ['j', 'Next row'],
  ['k', 'Previous row'],
  ['x', 'Select the row'],
  ['enter', 'Open the row'],
];

/** All shortcuts of the frame and of the open page. */
export function HelpDialog(props: { readonly open: boolean; readonly onClose: () => void }) {
  const commands = useAllCommands().filter(({ keys }) => keys !== undefined);
  const groups = [...new Set(commands.map(({ group }) => group))];
  const [on, setOn] = useState(() => localStorage.getItem(SHORTCUTS_OFF) !== 'off');
  return (
    <Dialog {...props} title="Keyboard shortcuts" wide>
      <div className={styles.groups}>
        {groups.map((group) => (
          <section key={group} className={styles.group}>
            <h3 className={styles.heading}>{group}</h3>
            {commands
              .filter((command) => command.group === group)
              .map(({ id, label, keys = '' }) => (
                <Shortcut key={id} label={label} keys={keys} />
              ))}
          </section>
        ))}
        <section className={styles.group}>
          <h3 className={styles.heading}>In tables</h3>
          {TABLE_KEYS.map(([keys, label]) => (
            <Shortcut key={keys} label={label} keys={keys} />
          ))}
        </section>
      </div>
      <Checkbox
        checked={on}
        onChange={(next) => {
          localStorage.setItem(SHORTCUTS_OFF, next ? 'on' : 'off');
          setOn(next);
        }}
      >
        Use shortcuts of single keys
      </Checkbox>
    </Dialog>
  );
}

function Shortcut({ label, keys }: { readonly label: string; readonly keys: string }) {
  return (
    <div className={styles.row}>
      <span>{label}</span>
      <KeyHint keys={keys} />
    </div>
  );
}
