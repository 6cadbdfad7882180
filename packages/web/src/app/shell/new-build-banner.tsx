import { RefreshCw } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useLiveState } from '../../data/live/live-context.tsx';
import { servedBuild } from '../../data/server/served-build.ts';
import { Button } from '../../ui/button/button.tsx';
import { Banner } from '../../ui/feedback/banner.tsx';
import styles from './offline-banner.module.css';

/** Vite reports parts of the UI that could not be loaded by this event. */
const PART_FAILED = 'vite:preloadError';

/**
 * Offers a reload once the server serves another build of the UI: parts of this one that are not loaded yet may
 * be missing there. Looked for when the connection is back, since a server restarts for an upgrade, and when a part fails.
 */
export function NewBuildBanner() {
  const [isOutdated, setOutdated] = useState(false);
  const { kind } = useLiveState();
  const [wasOffline, setWasOffline] = useState(false);
  if (kind === 'offline' && !wasOffline) setWasOffline(true);
  const isBack = wasOffline && kind !== 'offline' && kind !== 'connecting';
  // For the network, and for an event of the window.
  useEffect(() => {
    const check = () =>
      void servedBuild().then((served) => {
        if (served === 'other') setOutdated(true);
      });
    if (isBack) check();
    window.addEventListener(PART_FAILED, check);
    return () => window.removeEventListener(PART_FAILED, check);
  }, [isBack]);
  if (!isOutdated) return null;
  return (
    <div className={styles.place} role="status">
      <Banner
        tone="warning"
        icon={RefreshCw}
        actions={
          <Button size="sm" onClick={() => location.reload()}>
            Reload the page
          </Button>
        }
      >
        The server was updated. Reload the page to use its version of the web UI.
      </Banner>
    </div>
  );
}
