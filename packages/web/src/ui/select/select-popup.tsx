import { Select as Base } from '@base-ui/react/select';
import { Check, ChevronsUpDown } from 'lucide-react';
import { useEffect, useRef } from 'react';
import styles from './select.module.css';
import { type SelectProps, selectClass } from './select-props.ts';

export interface SelectPopupProps<T extends string> extends SelectProps<T> {
  /** The stand-in was pressed: the list opens as soon as it is drawn. */
  readonly openAtOnce: boolean;
}

/** The whole choice, with its button. */
export function SelectPopup<T extends string>(props: SelectPopupProps<T>) {
  const { label, value, options, onChange, prefix, disabled, id, openAtOnce } = props;
  const button = useRef<HTMLButtonElement>(null);
  // A press on the button, rather than a prop: the library then knows where the focus returns to.
  useEffect(() => {
    if (!openAtOnce) return;
    button.current?.focus();
    button.current?.click();
  }, [openAtOnce]);
  return (
    <Base.Root
      items={options.map((option) => ({ value: option.value, label: option.label }))}
      value={value}
      disabled={disabled ?? false}
      onValueChange={(next) => {
        if (next !== null) onChange(next);
      }}
    >
      <Base.Trigger
        ref={button}
        aria-label={label}
        {...(id === undefined ? {} : { id })}
        aria-describedby={props['aria-describedby']}
        aria-invalid={props['aria-invalid']}
        className={selectClass(props)}
      >
        {prefix === undefined ? null : <span className={styles.prefix}>{prefix}</span>}
        <Base.Value className={styles.value} />
        <Base.Icon className={styles.icon}>
          <ChevronsUpDown size={14} />
        </Base.Icon>
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner className={styles.positioner} sideOffset={5} alignItemWithTrigger={false}>
          <Base.Popup className={styles.popup}>
            <Base.List className={styles.list}>
              {options.map((option) => (
                <Base.Item key={option.value} value={option.value} className={styles.item}>
                  <span className={styles.check}>
                    <Base.ItemIndicator>
                      <Check size={14} />
                    </Base.ItemIndicator>
                  </span>
                  <span className={styles.text}>
                    <Base.ItemText>{option.label}</Base.ItemText>
                    {option.hint === undefined ? null : (
                      <span className={styles.hint}>{option.hint}</span>
                    )}
                  </span>
                </Base.Item>
              ))}
            </Base.List>
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
