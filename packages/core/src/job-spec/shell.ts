/** Shell text: splitting, and one invocation out of many lines. */

/**
 * Splits like a POSIX shell: blanks separate words, quotes and backslashes join them. Null if a
 * quote is not closed.
 */
export function shellSplit(text: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  let quote: string | null = null;
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (quote === "'") {
      if (char === quote) quote = null;
      else word += char;
    } else if (quote === '"') {
      if (char === quote) quote = null;
      else if (char === '\\' && '"\\$`'.includes(text.charAt(i + 1))) word += text.charAt(++i);
      else word += char;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= '';
    } else if (char === '\\') {
      word = (word ?? '') + text.charAt(++i);
    } else if (/\s/.test(char)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== null) return null;
  if (word !== null) words.push(word);
  return words;
}

/**
 * `a && b && …`. A line that goes to the background is braced, because `&&` after it is a syntax
 * error.
 */
export function joinCommands(commands: readonly string[]): string {
  return commands
    .map((command) => command.trim())
    .map((command) => (command.endsWith('&') ? `{ ${command} }` : command))
    .join(' && ');
}

/** The argv that runs the lines in an interactive shell, as the wire defines it. */
export function shellArgv(shell: string, commands: readonly string[]): string[] {
  return [shell, '-i', '-c', joinCommands(commands)];
}

/** `sh` and `bash` mean those in `/bin`. */
export function shellPath(shell: string): string {
  return shell === 'sh' || shell === 'bash' ? `/bin/${shell}` : shell;
}
