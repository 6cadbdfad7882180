import { useSyncExternalStore } from 'react';

let version = 0;

/** Changes with the theme, for what cannot use style sheets (canvases). */
export function useThemeVersion(): number {
  return useSyncExternalStore(subscribe, () => version);
}

function subscribe(listener: () => void): () => void {
  const onChange = () => {
    version += 1;
    listener();
  };
  const system = matchMedia('(prefers-color-scheme: dark)');
  system.addEventListener('change', onChange);
  const observer = new MutationObserver(onChange);
  observer.observe(document.documentElement, { attributeFilter: ['data-theme', 'data-tones'] });
  return () => {
    system.removeEventListener('change', onChange);
    observer.disconnect();
  };
}
