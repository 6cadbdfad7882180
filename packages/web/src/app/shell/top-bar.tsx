import { Menu as MenuIcon, Search } from 'lucide-react';
import { Button, IconButton } from '../../ui/button/button.tsx';
import { KeyHint } from '../../ui/keyboard/key-hint.tsx';
import { usePalette } from '../palette/palette-context.tsx';
import { LiveIndicator } from './live-indicator.tsx';
import { ProjectSwitch } from './project-switch.tsx';
import styles from './top-bar.module.css';
import { UserMenu } from './user-menu.tsx';

/** `onMenu`: opens the navigation where it is hidden. */
export function TopBar({ onMenu }: { readonly onMenu: (() => void) | null }) {
  const { openPalette } = usePalette();
  return (
    <header className={styles.bar}>
      {onMenu === null ? null : (
        <IconButton label="Open the navigation" onClick={onMenu}>
          <MenuIcon size={18} />
        </IconButton>
      )}
      <ProjectSwitch />
      <div className={styles.space} />
      {onMenu === null ? (
        <Button className={styles.search ?? ''} onClick={openPalette}>
          <Search size={14} aria-hidden="true" />
          <span className={styles.searchText}>Search or jump to</span>
          <KeyHint keys="mod+k" />
        </Button>
      ) : (
        <IconButton label="Search or jump to" onClick={openPalette}>
          <Search size={17} />
        </IconButton>
      )}
      <LiveIndicator />
      <UserMenu />
    </header>
  );
}
