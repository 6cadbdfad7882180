import { ChevronsUpDown } from 'lucide-react';
import { type ComponentType, useState } from 'react';
import { lazyPart } from '../lazy/lazy-part.ts';
import { standInProps } from '../lazy/stand-in.ts';
import styles from './select.module.css';
import type { SelectPopupProps } from './select-popup.tsx';
import { type SelectProps, selectClass } from './select-props.ts';

const popup = lazyPart(() =>
  import('./select-popup.tsx').then(
    // A part has no type parameters; the values of the options are checked where they are stated.
    (module) => module.SelectPopup as ComponentType<SelectPopupProps<string>>,
  ),
);

/** One of a few values. */
export function Select<T extends string>(props: SelectProps<T>) {
  const [isAsked, setAsked] = useState(false);
  const Popup = popup.usePart(isAsked) as ComponentType<SelectPopupProps<T>> | null;
  if (Popup !== null) return <Popup {...props} openAtOnce={isAsked} />;
  const { label, id, value, options, prefix, disabled = false } = props;
  return (
    <button
      type="button"
      // biome-ignore lint/a11y/useAriaPropsForRole: `standInProps` has `aria-expanded`.
      role="combobox"
      aria-label={label}
      id={id}
      aria-describedby={props['aria-describedby']}
      aria-invalid={props['aria-invalid']}
      className={selectClass(props)}
      disabled={disabled}
      {...standInProps('listbox', popup.preload, () => setAsked(true))}
    >
      {prefix === undefined ? null : <span className={styles.prefix}>{prefix}</span>}
      <span className={styles.value}>
        {options.find((option) => option.value === value)?.label ?? value}
      </span>
      <span className={styles.icon} aria-hidden="true">
        <ChevronsUpDown size={14} />
      </span>
    </button>
  );
}
