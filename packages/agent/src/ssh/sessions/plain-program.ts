// Each character matches in one way only, so the pattern does not backtrack.
const WORD = /(?:[\w@%+=:,./-]|'[^']*'|"[^"$`\\!]*")+/.source;
const PLAIN_PROGRAM = new RegExp(`^ *(?=/)${WORD}(?: +${WORD})* *$`);

/** The arguments of a command that needs no shell; null for any other command. */
export function plainProgram(command: string): string[] | null {
  if (!PLAIN_PROGRAM.test(command)) return null;
  const words = command.match(new RegExp(WORD, 'g')) ?? [];
  return words.map((word) =>
    word.replace(/'([^']*)'|"([^"]*)"/g, (_, single, double) => single ?? double),
  );
}
