/**
 * The wire joins the lines of `commands` and `init` with ` && ` to one line of a shell. What ends at the
 * end of a line in a file does not end there.
 */

const HEREDOC = /<<-?[ \t]*(?:'(\w+)'|"(\w+)"|\\?(\w+))/g;

/**
 * Why a command that others follow takes them for part of itself; null if it does not. A heredoc whose
 * last line is its end and a comment do.
 */
export function joinTrap(command: string): string | null {
  const text = command.trim();
  const last = text.slice(text.lastIndexOf('\n') + 1).trim();
  const isMultiline = text.includes('\n');
  if (isMultiline && heredocEnds(text).includes(last)) {
    return `ends with '${last}' of a heredoc, but commands are joined by '&&', so the shell does not find that end: add a line after it, like 'true', or make this the last command`;
  }
  if (endsInComment(last)) {
    return "ends with a comment, but commands are joined by '&&', so the next command becomes part of it: put the comment on a line of its own before the command";
  }
  return null;
}

function heredocEnds(text: string): string[] {
  return [...text.matchAll(HEREDOC)].flatMap(([, single, double, plain]) => {
    const end = single ?? double ?? plain;
    return end === undefined ? [] : [end];
  });
}

/** Whether a `#` outside of quotes begins a comment in this line. */
function endsInComment(line: string): boolean {
  let quote: string | null = null;
  let before = ' ';
  for (let i = 0; i < line.length; i++) {
    const char = line.charAt(i);
    if (quote !== null) {
      if (char === quote) quote = null;
      else if (char === '\\' && quote === '"') i++;
    } else if (char === '\\') i++;
    else if (char === "'" || char === '"') quote = char;
    else if (char === '#' && /[\s;&|(]/.test(before)) return true;
    before = char;
  }
  return false;
}
