import { lazyPart } from '../lazy/lazy-part.ts';

import type { DialogProps } from './dialog-props.ts';

const popup = lazyPart(() => import('./dialog-popup.tsx').then((module) => module.DialogPopup));

/** A modal dialog. Focus moves in, is kept in, and returns to where it came from. */
export function Dialog(props: DialogProps) {
  const Popup = popup.usePart(props.open);
  return Popup === null ? null : <Popup {...props} />;
}
