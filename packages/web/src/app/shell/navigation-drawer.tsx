import { lazyPart } from '../../ui/lazy/lazy-part.ts';

import type { NavigationDrawerProps } from './navigation-drawer-props.ts';

const popup = lazyPart(() =>
  import('./navigation-drawer-popup.tsx').then((module) => module.NavigationDrawerPopup),
);

/** The navigation of narrow screens. */
export function NavigationDrawer(props: NavigationDrawerProps) {
  const Popup = popup.usePart(props.open);
  return Popup === null ? null : <Popup {...props} />;
}
