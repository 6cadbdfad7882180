import { useLiveState } from '../../data/live/live-context.tsx';
import type { LiveState } from '../../data/live/live-state.ts';
import { useTicking } from '../../ui/time/clock.ts';
import { relativeTimeText } from '../../ui/time/format-time.ts';
import { Tooltip } from '../../ui/tooltip/tooltip.tsx';
import styles from './live-indicator.module.css';

/** Whether the page shows changes as they happen. */
export function LiveIndicator() {
  const state = useLiveState();
  const hint = useTicking((now) => liveHint(state, now));
  return (
    <Tooltip text={hint}>
      <button type="button" className={styles.live} data-state={state.kind}>
        <span className={styles.dot} aria-hidden="true" />
        {LABELS[state.kind]}
      </button>
    </Tooltip>
  );
}

const LABELS: Readonly<Record<LiveState['kind'], string>> = {
  connecting: 'Connecting',
  live: 'Live',
  polling: 'Live',
  offline: 'Offline',
};

export function liveHint(state: LiveState, now: number): string {
  switch (state.kind) {
    case 'connecting':
      return 'Connecting to the server';
    case 'live':
      return 'Changes appear as they happen';
    case 'polling':
      return `Updated ${relativeTimeText(state.updatedAt, now)}`;
    case 'offline':
      return state.updatedAt === null
        ? 'The server does not answer'
        : `The server does not answer. Updated ${relativeTimeText(state.updatedAt, now)}`;
  }
}
