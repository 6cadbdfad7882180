import '@xterm/xterm/css/xterm.css';
import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import { type Ref, useEffect, useImperativeHandle, useRef } from 'react';
import { useThemeVersion } from '../chart/theme-version.ts';
import { useLatest } from '../use-latest.ts';
import { terminalColors } from './terminal-colors.ts';
import { terminalKey } from './terminal-keys.ts';
import styles from './terminal-screen.module.css';

export interface ScreenSize {
  readonly cols: number;
  readonly rows: number;
}

export interface TerminalScreenHandle {
  readonly size: () => ScreenSize;
  readonly write: (data: Uint8Array | string, drawn?: () => void) => void;
  readonly reset: () => void;
  readonly focus: () => void;
}

export interface TerminalScreenProps {
  readonly ref: Ref<TerminalScreenHandle>;
  readonly label: string;
  /** Text that the reader types or pastes. */
  readonly onInput: (text: string) => void;
  readonly onResize: (size: ScreenSize) => void;
  /** The reader wants to leave by keyboard. */
  readonly onLeave: () => void;
  /** Also as text that screen readers can follow; slower. */
  readonly screenReader: boolean;
}

const SCROLLBACK = 10_000;

/** A terminal emulator. What a program prints can neither run scripts nor reach the clipboard. */
export function TerminalScreen(props: TerminalScreenProps) {
  const { ref, label, screenReader } = props;
  const place = useRef<HTMLDivElement>(null);
  const made = useRef<Terminal | null>(null);
  const latest = useLatest(props);
  const theme = useThemeVersion();

  // The library draws into the element by itself.
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const terminal = new Terminal({
      fontFamily: getComputedStyle(element).fontFamily,
      fontSize: 13,
      lineHeight: 1.25,
      // Programs choose colours for dark screens, which would vanish on a light one.
      minimumContrastRatio: 4.5,
      scrollback: SCROLLBACK,
      cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      linkHandler: linksOf(element),
      theme: terminalColors(element),
    });
    const fit = new FitAddon();
    terminal.loadAddon(fit);
    terminal.open(element);
    terminal.textarea?.setAttribute('aria-label', latest.current.label);
    made.current = terminal;
    const refit = () => {
      // A hidden terminal keeps its size.
      if (element.clientWidth > 0 && element.clientHeight > 0) fit.fit();
    };
    refit();
    terminal.onData((text) => latest.current.onInput(text));
    terminal.onBinary((text) => latest.current.onInput(text));
    terminal.onResize(({ cols, rows }) => latest.current.onResize({ cols, rows }));
    terminal.attachCustomKeyEventHandler((event) => {
      switch (terminalKey(event, terminal.hasSelection())) {
        case 'copy':
          event.preventDefault();
          void copySelection(terminal);
          return false;
        case 'paste':
          return false;
        case 'leave':
          latest.current.onLeave();
          return false;
        case 'program':
          return true;
      }
    });
    const observer = new ResizeObserver(refit);
    observer.observe(element);
    return () => {
      observer.disconnect();
      terminal.dispose();
      made.current = null;
    };
  }, [latest]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme is read from the element
  useEffect(() => {
    const element = place.current;
    if (made.current !== null && element !== null) {
      made.current.options.theme = terminalColors(element);
    }
  }, [theme]);

  useEffect(() => {
    if (made.current !== null) made.current.options.screenReaderMode = screenReader;
  }, [screenReader]);

  useImperativeHandle(
    ref,
    () => ({
      size: () => ({ cols: made.current?.cols ?? 80, rows: made.current?.rows ?? 24 }),
      write: (data, drawn) => made.current?.write(data, drawn),
      reset: () => made.current?.reset(),
      focus: () => made.current?.focus(),
    }),
    [],
  );
  return (
    <section className={styles.screen} aria-label={label}>
      <div ref={place} className={styles.place} />
    </section>
  );
}

async function copySelection(terminal: Terminal): Promise<void> {
  const text = terminal.getSelection();
  if (text === '') return;
  try {
    await navigator.clipboard.writeText(text);
    terminal.clearSelection();
  } catch {
    // The browser refuses: the selection stays, and its own menu can copy it.
  }
}

/** A program states the address of a link beside its text, so that it is shown before it is followed. */
function linksOf(element: HTMLElement) {
  return {
    activate: (_event: MouseEvent, address: string) => {
      if (/^https?:\/\//i.test(address)) window.open(address, '_blank', 'noopener,noreferrer');
    },
    hover: (_event: MouseEvent, address: string) => {
      element.title = address;
    },
    leave: () => {
      element.title = '';
    },
  };
}
