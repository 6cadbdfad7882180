import { cloneElement, useState } from 'react';
import { lazyPart } from '../lazy/lazy-part.ts';
import { standInProps } from '../lazy/stand-in.ts';
import type { MenuProps } from './menu-entry.ts';

const popup = lazyPart(() => import('./menu-popup.tsx').then((module) => module.MenuPopup));

/** A menu of actions behind a button. */
export function Menu(props: MenuProps) {
  const [isAsked, setAsked] = useState(false);
  const Popup = popup.usePart(isAsked);
  if (Popup !== null) return <Popup {...props} openAtOnce={isAsked} />;
  return cloneElement(
    props.trigger,
    standInProps('menu', popup.preload, () => setAsked(true)),
  );
}
