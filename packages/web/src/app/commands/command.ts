import type { LucideIcon } from 'lucide-react';

/** Something the user can do. Palette, shortcuts, help and menus show the same object. */
export interface AppCommand {
  readonly id: string;
  readonly label: string;
  readonly group: 'Go to' | 'This page' | 'Create' | 'Appearance' | 'Session';
  /** Further words that the palette finds it by. */
  readonly keywords?: string;
  /** `mod+k`, `g r` (one after the other), `/`. Two commands must not share keys. */
  readonly keys?: string;
  readonly icon?: LucideIcon;
  /** Whether it can be carried out now; default: it can. */
  readonly when?: () => boolean;
  readonly run: () => void;
}

/** The keys that more than one command answers to. */
export function conflictingKeys(commands: readonly Pick<AppCommand, 'keys'>[]): readonly string[] {
  const seen = new Map<string, number>();
  for (const { keys } of commands) {
    if (keys !== undefined) seen.set(keys, (seen.get(keys) ?? 0) + 1);
  }
  return [...seen].filter(([, count]) => count > 1).map(([keys]) => keys);
}
