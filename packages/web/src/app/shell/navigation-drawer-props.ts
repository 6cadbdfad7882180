export interface NavigationDrawerProps {
  readonly open: boolean;
  readonly onClose: () => void;
}
