import { Outlet, useRouterState } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { useInsteadOfFirstFrame } from '../../ui/panel/first-frame.ts';
import { useNarrow } from '../../ui/table/use-narrow.ts';
import { Navigation } from './navigation.tsx';
import { NavigationDrawer } from './navigation-drawer.tsx';
import { NewBuildBanner } from './new-build-banner.tsx';
import { OfflineBanner } from './offline-banner.tsx';
import styles from './shell.module.css';
import { TopBar } from './top-bar.tsx';

/** The frame around all pages of a signed-in user. */
export function Shell() {
  useInsteadOfFirstFrame();
  const narrow = useNarrow();
  const [drawer, setDrawer] = useState(false);
  return (
    <div className={styles.shell}>
      <a href="#main" className={styles.skip}>
        Skip to the content
      </a>
      {narrow ? (
        <NavigationDrawer open={drawer} onClose={() => setDrawer(false)} />
      ) : (
        <aside className={styles.sidebar}>
          <Navigation />
        </aside>
      )}
      <div className={styles.right}>
        <TopBar onMenu={narrow ? () => setDrawer(true) : null} />
        <OfflineBanner />
        <NewBuildBanner />
        <Main />
      </div>
    </div>
  );
}

/** Moves the focus to the content after a navigation, so that keyboards and readers start there. */
function Main() {
  const path = useRouterState({ select: (state) => state.resolvedLocation?.pathname });
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    if (path === undefined) return;
    if (!first.current && !main.current?.contains(document.activeElement)) main.current?.focus();
    first.current = false;
  }, [path]);
  return (
    <main
      id="main"
      ref={main}
      tabIndex={-1}
      className={styles.main}
      data-scroll-restoration-id="main"
    >
      <Outlet />
    </main>
  );
}
