export type Report = Outcome | Undoable;

interface Outcome {
  readonly kind: 'done' | 'failed';
  readonly title: string;
  readonly description: string | undefined;
}

/** An action that is carried out a moment later. */
export interface Undoable {
  readonly kind: 'undo';
  readonly title: string;
  /** ms; then it cannot be undone any more. */
  readonly until: number;
  /** The key that undoes it. */
  readonly keys: string;
  /** Calls the listener once it was carried out or undone; returns how to end that. */
  readonly isOver: (listener: () => void) => () => void;
  readonly onUndo: () => void;
}

export interface ToastQueue {
  readonly add: (report: Report) => void;
  /** Passes reports on, first those that were not passed on yet; returns how to end that. */
  readonly onReport: (receive: (report: Report) => void) => () => void;
  /** For React: whether there was any report. */
  readonly subscribe: (listener: () => void) => () => void;
  readonly isUsed: () => boolean;
}

/** Keeps reports until there is something that shows them. */
export function createToastQueue(): ToastQueue {
  const waiting: Report[] = [];
  const listeners = new Set<() => void>();
  let receiver: ((report: Report) => void) | null = null;
  let used = false;
  return {
    add(report) {
      if (receiver === null) waiting.push(report);
      else receiver(report);
      if (used) return;
      used = true;
      for (const listener of listeners) listener();
    },
    onReport(receive) {
      receiver = receive;
      for (const report of waiting.splice(0)) receive(report);
      return () => {
        if (receiver === receive) receiver = null;
      };
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    isUsed: () => used,
  };
}
