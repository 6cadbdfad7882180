import { CloudOff } from 'lucide-react';
import { useLive, useLiveState } from '../../data/live/live-context.tsx';
import { Button } from '../../ui/button/button.tsx';
import { Banner } from '../../ui/feedback/banner.tsx';
import { useTicking } from '../../ui/time/clock.ts';
import { relativeTimeText } from '../../ui/time/format-time.ts';
import styles from './offline-banner.module.css';

/** Shown while the server does not answer. What was loaded stays on the page. */
export function OfflineBanner() {
  const live = useLive();
  const state = useLiveState();
  const text = useTicking((now) => {
    if (state.kind !== 'offline') return null;
    const age =
      state.updatedAt === null
        ? 'Nothing was loaded yet.'
        : `What you see was updated ${relativeTimeText(state.updatedAt, now)}.`;
    const seconds = Math.max(0, Math.ceil((state.retryAt - now) / 1000));
    const next = seconds === 0 ? 'Trying again now.' : `Next attempt in ${seconds} s.`;
    return `The server does not answer. ${age} ${next}`;
  });
  if (text === null) return null;
  return (
    <div className={styles.place} role="alert">
      <Banner
        tone="failed"
        icon={CloudOff}
        actions={
          <Button size="sm" onClick={live.retry}>
            Try now
          </Button>
        }
      >
        {text}
      </Banner>
    </div>
  );
}
