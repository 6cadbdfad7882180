import { useSyncExternalStore } from 'react';
import { lazyPart } from '../lazy/lazy-part.ts';
import { createToastQueue, type Undoable } from './toast-queue.ts';

const queue = createToastQueue();
const part = lazyPart(() => import('./toasts.tsx').then((module) => module.Toasts), {
  isOptional: true,
});

/** Reports the outcome of an action; errors stay until they are closed. */
export const toast = {
  done: (title: string, description?: string): void =>
    queue.add({ kind: 'done', title, description }),
  failed: (title: string, description?: string): void =>
    queue.add({ kind: 'failed', title, description }),
  undo: (undoable: Omit<Undoable, 'kind'>): void => queue.add({ kind: 'undo', ...undoable }),
};

/** The place of the reports. */
export function Toaster() {
  const Toasts = part.usePart(useSyncExternalStore(queue.subscribe, queue.isUsed));
  return Toasts === null ? null : <Toasts queue={queue} />;
}
