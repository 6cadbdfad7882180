import { lazyPart } from '../lazy/lazy-part.ts';
import type { MenuAtProps } from './menu-at-popup.tsx';

const popup = lazyPart(() => import('./menu-at-popup.tsx').then((module) => module.MenuAtPopup));

/** A menu that opens at an element of which there are many, such as the buttons of rows. */
export function MenuAt(props: MenuAtProps) {
  const Popup = popup.usePart(props.anchor !== null);
  return Popup === null ? null : <Popup {...props} />;
}
