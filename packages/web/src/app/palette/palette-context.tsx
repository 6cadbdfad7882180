import {
  createContext,
  lazy,
  type ReactNode,
  Suspense,
  useContext,
  useEffect,
  useMemo,
  useState,
} from 'react';
import { HelpDialog } from './help-dialog.tsx';

const PRELOAD_MS = 700;

interface Palette {
  readonly openPalette: () => void;
  readonly openHelp: () => void;
}

const PaletteContext = createContext<Palette>({ openPalette: () => {}, openHelp: () => {} });

export function usePalette(): Palette {
  return useContext(PaletteContext);
}

const load = () =>
  import('./palette-dialog.tsx').then((module) => ({ default: module.PaletteDialog }));
const PaletteDialog = lazy(load);

/** The command palette and the list of shortcuts. The palette is loaded after the page is shown. */
export function PaletteProvider({ children }: { readonly children: ReactNode }) {
  const [open, setOpen] = useState<'palette' | 'help' | null>(null);
  const [used, setUsed] = useState(false);
  const palette = useMemo(
    () => ({
      openPalette: () => {
        setUsed(true);
        setOpen('palette');
      },
      openHelp: () => setOpen('help'),
    }),
    [],
  );
  const close = () => setOpen(null);
  // What is typed right after Ctrl+K must reach the palette, so that it is loaded before.
  useEffect(() => {
    const timer = setTimeout(() => void load().catch(() => {}), PRELOAD_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <PaletteContext.Provider value={palette}>
      {children}
      {used ? (
        <Suspense>
          <PaletteDialog open={open === 'palette'} onClose={close} />
        </Suspense>
      ) : null}
      <HelpDialog open={open === 'help'} onClose={close} />
    </PaletteContext.Provider>
  );
}
