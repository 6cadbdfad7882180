import type { ComponentProps, ReactNode } from 'react';
import { classNames } from '../class-names.ts';
import { Tooltip } from '../tooltip/tooltip.tsx';
import styles from './button.module.css';

export type ButtonVariant = 'primary' | 'secondary' | 'quiet' | 'danger';

interface Look {
  readonly variant?: ButtonVariant;
  readonly size?: 'md' | 'sm';
  /** Before the text. */
  readonly icon?: ReactNode;
}

export interface ButtonProps extends ComponentProps<'button'>, Look {
  /** Why the button cannot be used; it stays focusable, so that keyboards reach the reason. */
  readonly disabledReason?: string | null;
  /** The action is being carried out. */
  readonly busy?: boolean;
}

/** A button with a text. `type` is `button` unless stated. */
export function Button(props: ButtonProps) {
  const { variant, size, icon, disabledReason, busy, className, children, ...rest } = props;
  const blocked = disabledReason != null || busy === true;
  const button = (
    <button
      type="button"
      {...rest}
      className={classNames(buttonClass({ variant, size }), className)}
      data-variant={variant}
      aria-disabled={blocked || undefined}
      aria-busy={busy || undefined}
      onClick={blocked ? (event) => event.preventDefault() : rest.onClick}
    >
      {busy ? <span className={styles.spinner} aria-hidden="true" /> : icon}
      {children}
    </button>
  );
  return disabledReason == null ? button : <Tooltip text={disabledReason}>{button}</Tooltip>;
}

/** The class of things that look like a button, such as links. */
export function buttonClass({ variant = 'secondary', size = 'md' }: Look): string {
  return classNames(styles.button, styles[variant], size === 'sm' && styles.sm);
}

export interface IconButtonProps extends ComponentProps<'button'> {
  /** The accessible name, shown as the tooltip. */
  readonly label: string;
  readonly size?: 'md' | 'sm';
  /** For buttons that switch something on and off. */
  readonly pressed?: boolean;
  /** Keys, shown in the tooltip. */
  readonly keys?: string;
}

/** A button that is only an icon. */
export function IconButton(props: IconButtonProps) {
  const { label, size = 'md', pressed, keys, className, children, ...rest } = props;
  return (
    <Tooltip text={label} keys={keys}>
      <button
        type="button"
        {...rest}
        aria-label={label}
        aria-pressed={pressed}
        className={classNames(
          styles.button,
          styles.quiet,
          styles.icon,
          size === 'sm' && styles.iconSm,
          className,
        )}
      >
        {children}
      </button>
    </Tooltip>
  );
}
