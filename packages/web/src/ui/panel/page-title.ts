import { useEffect } from 'react';

/** The title of the tab, and of the page for screen readers. */
export function usePageTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · dstack`;
  }, [title]);
}
