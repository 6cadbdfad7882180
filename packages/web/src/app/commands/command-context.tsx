import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useSyncExternalStore,
} from 'react';
import type { AppCommand } from './command.ts';
import { NO_SEQUENCE, nextSequence, pressedKey, type SequenceState } from './key-sequence.ts';

/** All commands that can be given now: those of the frame and those of the open page. */
export class CommandRegistry {
  readonly #groups = new Map<string, readonly AppCommand[]>();
  readonly #listeners = new Set<() => void>();
  #all: readonly AppCommand[] = [];

  get all(): readonly AppCommand[] {
    return this.#all;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  set(owner: string, commands: readonly AppCommand[]): void {
    if (commands.length === 0) this.#groups.delete(owner);
    else this.#groups.set(owner, commands);
    this.#all = [...this.#groups.values()].flat();
    for (const listener of this.#listeners) listener();
  }
}

const Registry = createContext<CommandRegistry | null>(null);

export function CommandProvider({ children }: { readonly children: ReactNode }) {
  const registry = useMemo(() => new CommandRegistry(), []);
  useKeys(registry);
  return <Registry.Provider value={registry}>{children}</Registry.Provider>;
}

function useRegistry(): CommandRegistry {
  const registry = useContext(Registry);
  if (registry === null) throw new Error('CommandProvider is missing');
  return registry;
}

/** Offers commands while the component is on the page. Pass a memoised list. */
export function useCommands(commands: readonly AppCommand[]): void {
  const registry = useRegistry();
  const owner = useId();
  // Before the page is painted: what is visible reacts to its keys.
  useLayoutEffect(() => {
    registry.set(owner, commands);
    return () => registry.set(owner, []);
  }, [registry, owner, commands]);
}

/** The commands that can be given now. */
export function useAllCommands(): readonly AppCommand[] {
  const registry = useRegistry();
  return useSyncExternalStore(registry.subscribe, () => registry.all);
}

/** Shortcuts of single keys can be switched off (WCAG 2.1.4); those with Ctrl or ⌘ stay. */
export const SHORTCUTS_OFF = 'dstack-shortcuts';

function useKeys(registry: CommandRegistry): void {
  const state = useRef<SequenceState>(NO_SEQUENCE);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const key = pressedKey(event);
      if (key === null || event.defaultPrevented || event.isComposing) return;
      const single = !key.startsWith('mod+');
      if (single && (isOff() || takesKeys(event.target))) return;
      const commands = registry.all.filter(({ keys, when }) => keys && (when?.() ?? true));
      const known = new Set(commands.map(({ keys }) => keys ?? ''));
      const next = nextSequence(state.current, key, event.timeStamp, known);
      state.current = next.state;
      if (next.keys === null) return;
      event.preventDefault();
      commands.find(({ keys }) => keys === next.keys)?.run();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [registry]);
}

const POPUPS = ['dialog', 'alertdialog', 'menu', 'listbox']
  .map((role) => `[role="${role}"]`)
  .join();

/** Whether keys belong to the element: the reader types into it, or it is in a popup. */
function takesKeys(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  // A popup that is fading out still has the focus.
  if (target.closest('[data-closed]') !== null) return false;
  return target.closest(POPUPS) !== null || isTyping(target);
}

function isTyping(target: HTMLElement): boolean {
  if (target.isContentEditable) return true;
  if (target instanceof HTMLInputElement) return !['checkbox', 'radio'].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

function isOff(): boolean {
  try {
    return localStorage.getItem(SHORTCUTS_OFF) === 'off';
  } catch {
    // Storage is switched off: the default applies.
    return false;
  }
}
