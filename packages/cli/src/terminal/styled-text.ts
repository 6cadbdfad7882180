import { spelledOut, TERMINAL_CONTROLS } from '@dstack/contract/plain-text';
import { STYLE_MARK } from './style.ts';

const MARK_OR_CONTROL = new RegExp(`${STYLE_MARK}|\\r\\n|[${TERMINAL_CONTROLS}]`, 'g');

/**
 * Text as printed: style marks become escape codes, and all other control characters are spelled
 * out. All text except the output of jobs is printed through this function.
 */
export function styledText(text: string): string {
  return text.replace(MARK_OR_CONTROL, (found: string, code: string | undefined) => {
    if (code !== undefined) return `\u001b[${code}m`;
    return found === '\r\n' ? '\n' : spelledOut(found);
  });
}

/** Characters that JSON allows unescaped and terminals interpret. */
const IN_JSON = new RegExp(`[${TERMINAL_CONTROLS}\\u2028\\u2029]`, 'g');

/** JSON of the same value, with control characters escaped. */
export function printableJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, null, indent) ?? 'null';
  return text.replace(IN_JSON, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
