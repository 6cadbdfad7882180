/**
 * Characters that a terminal executes or reorders instead of printing: C0 and C1 controls except line
 * breaks and tabs, DEL, and the bidirectional controls of Unicode.
 */
export const TERMINAL_CONTROLS = '\\0-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069';

const CONTROL = new RegExp(`\\r\\n|[${TERMINAL_CONTROLS}]`, 'g');

/** Text that is safe to print: controls are spelled out (`\x1b`), line breaks stay. */
export function plainText(text: string): string {
  return text.replace(CONTROL, (found) => (found === '\r\n' ? '\n' : spelledOut(found)));
}

/** Like `plainText`, in one line. */
export function plainLine(text: string): string {
  return plainText(text).replace(/[\n\t]+/g, ' ');
}

export function spelledOut(control: string): string {
  const code = control.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}
