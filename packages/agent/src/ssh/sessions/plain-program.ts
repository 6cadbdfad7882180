// One character a turn: a word can be read in one way only, so refusing takes no longer than taking.
const WORD = /(?:[\w@%+=:,./-]|'[^']*'|"[^"$`\\!]*")+/.source;
const PLAIN_PROGRAM = new RegExp(`^ *(?=/)${WORD}(?: +${WORD})* *$`);

/** The words of a command that means the same with a shell and without one; null for any other. */
export function plainProgram(command: string): string[] | null {
  if (!PLAIN_PROGRAM.test(command)) return null;
  const words = command.match(new RegExp(WORD, 'g')) ?? [];
  return words.map((word) =>
    word.replace(/'([^']*)'|"([^"]*)"/g, (_, single, double) => single ?? double),
  );
}
