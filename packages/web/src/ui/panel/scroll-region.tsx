import type { ComponentProps } from 'react';

export interface ScrollRegionProps extends ComponentProps<'section'> {
  readonly label: string;
}

/** A part of the page that scrolls by itself, and that keyboards can therefore reach. */
export function ScrollRegion({ label, ...rest }: ScrollRegionProps) {
  // biome-ignore lint/a11y/noNoninteractiveTabindex: without the focus, keyboards could not scroll it
  return <section {...rest} aria-label={label} tabIndex={0} />;
}
