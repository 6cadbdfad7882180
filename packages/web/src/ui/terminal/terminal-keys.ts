/** The effect of a key in a terminal; `program`: the terminal passes it on. */
export type TerminalKey = 'copy' | 'paste' | 'leave' | 'program';

/**
 * Ctrl+C copies while text is selected, and interrupts otherwise. Pastes are left to the browser. Tab
 * belongs to the program, so that Ctrl+F6 leaves the terminal.
 */
export function terminalKey(event: KeyboardEvent, hasSelection: boolean): TerminalKey {
  if (event.type !== 'keydown') return 'program';
  const { ctrlKey: ctrl, metaKey: meta, shiftKey: shift, altKey: alt } = event;
  const key = event.key.toLowerCase();
  if (ctrl && key === 'f6') return 'leave';
  if (alt || (!ctrl && !meta)) return 'program';
  if (key === 'c' && (hasSelection || meta || shift)) return 'copy';
  if (key === 'v') return 'paste';
  return 'program';
}
