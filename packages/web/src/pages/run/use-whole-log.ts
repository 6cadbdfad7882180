import { useEffect } from 'react';
import type { LogState } from '../../domain/logs/use-log.ts';

interface PartlyLoaded {
  readonly unread: boolean;
  readonly state: LogState;
  readonly onOlder: (() => void) | null;
  readonly onNewer: (() => void) | null;
}

/** A search is about the whole output: what is not loaded yet is loaded, part after part. True: it is. */
export function useWholeLog(
  { unread, state, onOlder, onNewer }: PartlyLoaded,
  isNeeded: boolean,
): boolean {
  const isReading = isNeeded && unread && state.kind !== 'failed';
  // For the network. Both are null while they load, and until then there is nothing to continue.
  useEffect(() => {
    if (!isReading || state.kind === 'loading') return;
    if (onOlder !== null) onOlder();
    else onNewer?.();
  }, [isReading, state.kind, onOlder, onNewer]);
  return isReading;
}
