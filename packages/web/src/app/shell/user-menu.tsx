import { Link } from '@tanstack/react-router';
import { CircleUser, Keyboard, LogOut } from 'lucide-react';
import { useState } from 'react';
import { useSession, useUser } from '../../data/session/session-context.tsx';
import { IconButton } from '../../ui/button/button.tsx';
import {
  Menu,
  MenuCheckbox,
  MenuChoice,
  MenuHeading,
  MenuItem,
  MenuSeparator,
} from '../../ui/menu/menu.tsx';
import { usePalette } from '../palette/palette-context.tsx';
import { applySafeTones, applyTheme, hasSafeTones, savedTheme } from '../theme.ts';

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
    >
      <MenuHeading>{username}</MenuHeading>
      <MenuSeparator />
      <MenuChoice
        label="Theme"
        value={theme}
        choices={[
          ['system', 'As the system'],
          ['light', 'Light'],
          ['dark', 'Dark'],
        ]}
        onChange={(next) => {
          applyTheme(next);
          setTheme(next);
        }}
      />
      <MenuCheckbox
        checked={safeTones}
        onChange={(on) => {
          applySafeTones(on);
          setSafeTones(on);
        }}
      >
        Colours without red and green
      </MenuCheckbox>
      <MenuSeparator />
      <MenuItem
        icon={<CircleUser size={15} />}
        render={<Link to="/users/$user" params={{ user: username }} />}
      >
        Account
      </MenuItem>
      <MenuItem icon={<Keyboard size={15} />} keys="?" onSelect={openHelp}>
        Keyboard shortcuts
      </MenuItem>
      <MenuItem icon={<LogOut size={15} />} onSelect={() => void session.signOut()}>
        Sign out
      </MenuItem>
      <MenuItem icon={<LogOut size={15} />} onSelect={() => void session.signOut(true)}>
        Sign out everywhere
      </MenuItem>
    </Menu>
  );
}
