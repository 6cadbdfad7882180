import {
  createContext,
  lazy,
  type ReactNode,
  Suspense,
  useContext,
  useMemo,
  useState,
} from 'react';
import { HelpDialog } from './help-dialog.tsx';

interface Palette {
  readonly openPalette: () => void;
  readonly openHelp: () => void;
}

const PaletteContext = createContext<Palette>({ openPalette: () => {}, openHelp: () => {} });

export function usePalette(): Palette {
  return useContext(PaletteContext);
}

const PaletteDialog = lazy(() =>
  import('./palette-dialog.tsx').then((module) => ({ default: module.PaletteDialog })),
);

/** The command palette and the list of shortcuts. The palette is loaded when it is first opened. */
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
