import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import { toast } from '../../ui/toast/toaster.tsx';
import { HelpDialog } from './help-dialog.tsx';
import { collectKeys, NOTHING_TYPED, type TypeAhead } from './type-ahead.ts';

const PRELOAD_MS = 700;

interface Palette {
  readonly openPalette: () => void;
  readonly openHelp: () => void;
}

const PaletteContext = createContext<Palette>({ openPalette: () => {}, openHelp: () => {} });

export function usePalette(): Palette {
  return useContext(PaletteContext);
}

const load = () => import('./palette-dialog.tsx').then((module) => module.PaletteDialog);
type Dialog = Awaited<ReturnType<typeof load>>;

/** The command palette and the list of shortcuts. The palette is loaded after the page is shown. */
export function PaletteProvider({ children }: { readonly children: ReactNode }) {
  const [open, setOpen] = useState<'palette' | 'help' | null>(null);
  const [Dialog, setDialog] = useState<Dialog | null>(null);
  const isOpen = useRef(false);
  const endCollecting = useRef<(() => TypeAhead) | null>(null);
  const takeTyped = useCallback((): TypeAhead => {
    const typed = endCollecting.current?.() ?? NOTHING_TYPED;
    endCollecting.current = null;
    return typed;
  }, []);
  const close = useCallback(() => {
    takeTyped();
    isOpen.current = false;
    setOpen(null);
  }, [takeTyped]);
  const palette = useMemo(
    () => ({
      openPalette: () => {
        // Keys typed right after Ctrl+K belong to the palette, which receives the focus some frames later.
        if (!isOpen.current) endCollecting.current ??= collectKeys(document);
        isOpen.current = true;
        setOpen('palette');
        load().then(
          (component) => setDialog(() => component),
          () => {
            close();
            toast.failed('The search could not be loaded', 'Reload the page.');
          },
        );
      },
      openHelp: () => setOpen('help'),
    }),
    [close],
  );
  useEffect(() => {
    const timer = setTimeout(() => void load().catch(() => {}), PRELOAD_MS);
    return () => {
      clearTimeout(timer);
      takeTyped();
    };
  }, [takeTyped]);
  return (
    <PaletteContext.Provider value={palette}>
      {children}
      {Dialog === null ? null : (
        <Dialog open={open === 'palette'} onClose={close} takeTyped={takeTyped} />
      )}
      <HelpDialog open={open === 'help'} onClose={close} />
    </PaletteContext.Provider>
  );
}
