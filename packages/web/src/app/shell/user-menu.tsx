import { Link } from '@tanstack/react-router';
import { CircleUser, Keyboard, LogOut } from 'lucide-react';
import { useState } from 'react';
import { useSession, useUser } from '../../data/session/session-context.tsx';
import { IconButton } from '../../ui/button/button.tsx';
import { Menu } from '../../ui/menu/menu.tsx';
import { usePalette } from '../palette/palette-context.tsx';
import { applySafeTones, applyTheme, hasSafeTones, normalizeTheme, savedTheme } from '../theme.ts';

/** The user, the look of the UI, and the way out. */
export function UserMenu() {
  const { username } = useUser();
  const session = useSession();
  const { openHelp } = usePalette();
  const [theme, setTheme] = useState(savedTheme);
  const [safeTones, setSafeTones] = useState(hasSafeTones);
  return (
    <Menu
      trigger={
        <IconButton label={`Signed in as ${username}`}>
          <CircleUser size={18} />
        </IconButton>
      }
      entries={[
        { kind: 'heading', label: username },
        'separator',
        {
          kind: 'choice',
          label: 'Theme',
          value: theme,
          choices: [
            ['system', 'As the system'],
            ['light', 'Light'],
            ['dark', 'Dark'],
          ],
          onChange(next) {
            const chosen = normalizeTheme(next);
            applyTheme(chosen);
            setTheme(chosen);
          },
        },
        {
          kind: 'switch',
          label: 'Colours without red and green',
          checked: safeTones,
          onChange(on) {
            applySafeTones(on);
            setSafeTones(on);
          },
        },
        'separator',
        {
          kind: 'action',
          label: 'Account',
          icon: <CircleUser size={15} />,
          render: <Link to="/users/$user" params={{ user: username }} />,
        },
        {
          kind: 'action',
          label: 'Keyboard shortcuts',
          icon: <Keyboard size={15} />,
          keys: '?',
          onSelect: openHelp,
        },
        {
          kind: 'action',
          label: 'Sign out',
          icon: <LogOut size={15} />,
          onSelect: () => void session.signOut(),
        },
        {
          kind: 'action',
          label: 'Sign out everywhere',
          icon: <LogOut size={15} />,
          onSelect: () => void session.signOut(true),
        },
      ]}
    />
  );
}
