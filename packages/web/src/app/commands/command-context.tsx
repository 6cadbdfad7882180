import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useId,
  useMemo,
  useRef,
  useSyncExternalStore,
} from 'react';
import type { Command } from './command.ts';
import { NO_SEQUENCE, nextSequence, pressedKey, type SequenceState } from './key-sequence.ts';

/** All commands that can be given now: those of the frame and those of the open page. */
export class CommandRegistry {
  readonly #groups = new Map<string, readonly Command[]>();
  readonly #listeners = new Set<() => void>();
  #all: readonly Command[] = [];

  get all(): readonly Command[] {
    return this.#all;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  set(owner: string, commands: readonly Command[]): void {
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
export function useCommands(commands: readonly Command[]): void {
  const registry = useRegistry();
  const owner = useId();
  useEffect(() => {
    registry.set(owner, commands);
    return () => registry.set(owner, []);
  }, [registry, owner, commands]);
}

/** The commands that can be given now. */
export function useAllCommands(): readonly Command[] {
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
      if (single && (isTyping(event.target) || isOff() || isInPopup(event.target))) return;
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

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable) return true;
  if (target instanceof HTMLInputElement) return !['checkbox', 'radio'].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

function isInPopup(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.closest('[role="dialog"], [role="alertdialog"], [role="menu"], [role="listbox"]') !==
      null
  );
}

function isOff(): boolean {
  try {
    return localStorage.getItem(SHORTCUTS_OFF) === 'off';
  } catch {
    // Storage is switched off: the default applies.
    return false;
  }
}
