/** Texts of any form where a provider allows few characters: each byte of the others is `_` and two digits. */

/** `others`: what is escaped, `_` too, with the flags `gu`. */
export function escapedBytes(text: string, others: RegExp): string {
  return text.replace(others, (char) =>
    [...Buffer.from(char)].map((byte) => `_${byte.toString(16).padStart(2, '0')}`).join(''),
  );
}

export function unescapedBytes(text: string): string {
  const bytes = Buffer.from(
    text.replace(/_([0-9a-f]{2})/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    ),
    'latin1',
  );
  return bytes.toString('utf8');
}
