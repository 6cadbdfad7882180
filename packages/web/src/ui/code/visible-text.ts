/**
 * Characters that change the order or the presence of the text around them. A line of a log or of a
 * configuration could look like another one with them, so they are shown by their code.
 */
const INVISIBLE = /[\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Control characters, which terminals execute. */
const CONTROL = /\p{Cc}/gu;

export const visibleText = (text: string): string => text.replace(INVISIBLE, codeOf);

/** A line that another program wrote, as one line: control characters are shown by their code too. */
export const visibleLine = (text: string): string =>
  visibleText(text.replaceAll('\t', ' ').replace(CONTROL, codeOf));

function codeOf(character: string): string {
  const code = character.charCodeAt(0).toString(16).padStart(4, '0');
  return `⟨U+${code.toUpperCase()}⟩`;
}
