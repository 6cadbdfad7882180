import { useNavigate } from '@tanstack/react-router';
import { Columns3, Keyboard, LogOut, Moon, Rocket, Sun, SunMoon } from 'lucide-react';
import { useMemo } from 'react';
import { useSession, useUser } from '../data/session/session-context.tsx';
import type { AppCommand } from './commands/command.ts';
import { useCommands } from './commands/command-context.tsx';
import { navigationFor } from './navigation.ts';
import { PAGE_COMMANDS } from './page-commands.ts';
import { usePalette } from './palette/palette-context.tsx';
import { applyTheme, type Theme } from './theme.ts';

const THEME_ICONS = { system: SunMoon, light: Sun, dark: Moon };

/** The commands that every page has. */
export function FrameCommands() {
  const navigate = useNavigate();
  const session = useSession();
  const user = useUser();
  const { openPalette, openHelp } = usePalette();
  const commands = useMemo<readonly AppCommand[]>(
    () => [
      ...navigationFor(user).flatMap(({ items }) =>
        items.map(({ to, label, icon, key }) => ({
          id: `go.${to}`,
          label,
          group: 'Go to' as const,
          keys: `g ${key}`,
          icon,
          run: () => void navigate({ to }),
        })),
      ),
      {
        id: 'launch',
        label: 'Launch a run',
        group: 'Go to',
        keys: 'c',
        icon: Rocket,
        run: () => void navigate({ to: '/runs/launch' }),
      },
      {
        id: 'compare',
        label: 'Compare runs',
        group: 'Go to',
        keywords: 'difference diff',
        icon: Columns3,
        run: () => void navigate({ to: '/compare' }),
      },
      ...(['system', 'light', 'dark'] as const).map((theme: Theme) => ({
        id: `theme.${theme}`,
        label: theme === 'system' ? 'Use the theme of the system' : `Use the ${theme} theme`,
        group: 'Appearance' as const,
        icon: THEME_ICONS[theme],
        run: () => applyTheme(theme),
      })),
      {
        id: 'palette',
        label: 'Search or jump to',
        group: 'Go to',
        keys: 'mod+k',
        // It is open already where this could be chosen from it.
        run: openPalette,
      },
      {
        id: 'help',
        label: 'Keyboard shortcuts',
        group: 'Appearance',
        keys: '?',
        icon: Keyboard,
        run: openHelp,
      },
      ...PAGE_COMMANDS,
      {
        id: 'sign-out',
        label: 'Sign out',
        group: 'Session',
        icon: LogOut,
        run: () => void session.signOut(),
      },
    ],
    [navigate, session, user, openPalette, openHelp],
  );
  useCommands(commands);
  return null;
}
