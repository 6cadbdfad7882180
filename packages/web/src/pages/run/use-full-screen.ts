import { useCallback, useEffect, useState } from 'react';

/**
 * A part of the page that fills the screen. The whole page becomes full screen, as popups are outside of
 * the part; where browsers refuse that, the part fills the window. Escape leaves.
 */
export function useFullScreen(): {
  readonly full: boolean;
  readonly setFull: (full: boolean) => void;
} {
  const [full, setState] = useState(false);
  const setFull = useCallback((next: boolean) => {
    setState(next);
    // A refusal leaves the part over the whole window.
    if (next) document.documentElement.requestFullscreen?.().catch(() => {});
    else if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
  }, []);
  useEffect(() => {
    if (!full) return;
    document.documentElement.dataset.fullScreen = 'true';
    const onChange = () => {
      if (document.fullscreenElement === null) setState(false);
    };
    const onKey = (event: KeyboardEvent) => {
      const isPopup = event.target instanceof Element && event.target.closest('[role=dialog]');
      if (event.key === 'Escape' && !event.defaultPrevented && !isPopup) setFull(false);
    };
    document.addEventListener('fullscreenchange', onChange);
    document.addEventListener('keydown', onKey);
    return () => {
      delete document.documentElement.dataset.fullScreen;
      document.removeEventListener('fullscreenchange', onChange);
      document.removeEventListener('keydown', onKey);
      if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
    };
  }, [full, setFull]);
  return { full, setFull };
}
