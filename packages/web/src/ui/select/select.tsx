import { Select as Base } from '@base-ui/react/select';
import { Check, ChevronsUpDown } from 'lucide-react';
import { classNames } from '../class-names.ts';
import styles from './select.module.css';

export interface SelectOption<T extends string> {
  readonly value: T;
  readonly label: string;
  /** A second line. */
  readonly hint?: string;
}

export interface SelectProps<T extends string> {
  readonly label: string;
  /** For a label elsewhere. */
  readonly id?: string;
  readonly value: T;
  readonly options: readonly SelectOption<T>[];
  readonly onChange: (value: T) => void;
  readonly size?: 'md' | 'sm';
  /** Shows the label before the value, as filters do. */
  readonly prefix?: string;
  readonly className?: string | undefined;
  readonly disabled?: boolean;
}

/** One of a few values. */
export function Select<T extends string>(props: SelectProps<T>) {
  const { label, value, options, onChange, size = 'md', prefix, className, disabled, id } = props;
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
        aria-label={label}
        {...(id === undefined ? {} : { id })}
        className={classNames(styles.trigger, size === 'sm' && styles.sm, className)}
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
