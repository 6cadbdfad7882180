import { Problem } from './problem.ts';

/** Default limit of names, addresses and other short texts, in characters. */
export const MAX_TEXT = 1000;

/** `PATH_MAX` of Linux. */
export const MAX_PATH = 4096;

const CONTROL = /\p{Cc}/u;

export function hasControl(text: string): boolean {
  return CONTROL.test(text);
}

/** Reads a name, an address or a path: one line of any text. */
export function parsePlainText(text: string, max: number = MAX_TEXT): string | Problem {
  if (hasControl(text)) return new Problem('must not contain control characters or line breaks');
  return text.length <= max
    ? text
    : new Problem(`must have ${max} characters at most, has ${text.length}`);
}
