import { useMatches } from '@tanstack/react-router';

/** The label of the tab whose route is open; null: it is the first one, which is the page itself. */
export function useOpenTab(tabs: readonly (readonly [to: string, label: string])[]): string | null {
  const open = useMatches({ select: (matches) => matches.at(-1)?.fullPath.replace(/\/$/, '') });
  const [first] = tabs;
  const tab = tabs.find(([to]) => to === open);
  return tab === undefined || tab === first ? null : tab[1];
}
