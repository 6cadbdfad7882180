import { useLayoutEffect } from 'react';

/** Takes away the static frame of `index.html`, together with the first paint of what replaces it. */
export function useInsteadOfFirstFrame(): void {
  // The frame is outside of React.
  useLayoutEffect(() => document.getElementById('first-frame')?.remove(), []);
}
