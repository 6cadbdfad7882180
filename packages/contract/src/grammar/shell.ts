/** Words that mean themselves in every POSIX shell; the rule of Python's `shlex.quote`. */
const PLAIN = /^[\w@%+=:,./-]+$/;

/**
 * One argument of a command for a POSIX shell, whatever characters it has. Quotes like Python's
 * `shlex.quote`, because quoted text is part of stored configurations, and official clients would
 * report another spelling as a change. For arguments only: in front of a command a plain word may be
 * a keyword or an assignment.
 */
export function shellQuote(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}

/** A line from which a POSIX shell parses exactly these arguments. */
export function shellJoin(words: readonly string[]): string {
  return words.map(shellQuote).join(' ');
}
