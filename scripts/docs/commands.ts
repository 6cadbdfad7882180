/** The command lines in documentation and skill files, parsed as the program would parse them. */
import { Command } from 'commander';
import type { Cli } from '../../packages/cli/src/context.ts';
import { COMMANDS } from '../../packages/cli/src/program.ts';

/** Lines of shell examples, and code in the text, that call dstack. Not those with a `…` in them. */
export function commandLines(markdown: string): CommandLine[] {
  const fenced = [...markdown.matchAll(/^```(?:shell|bash|sh)\n([\s\S]*?)^```/gm)].flatMap(
    ([, block = '']) => block.replace(/\\\n\s*/g, ' ').split('\n'),
  );
  const indented = [...markdown.matchAll(/^ {4}(?:\$ )?(dstack [a-z].*)$/gm)].map(
    ([, line = '']) => line,
  );
  const mentioned = [...markdown.matchAll(/`(dstack [a-z][^`]*)`/g)].map(([, line = '']) => line);
  return [
    ...calls([...fenced, ...indented]).map((line) => ({ line, isMention: false })),
    ...calls(mentioned).map((line) => ({ line, isMention: true })),
  ];
}

export interface CommandLine {
  readonly line: string;
  /** In the text: `dstack attach` means the command, whatever its arguments are. */
  readonly isMention: boolean;
}

function calls(lines: readonly string[]): string[] {
  const found = lines
    .flatMap((line) => [line.split(/;|&&|\||(?<=\s)--\s/)[0] ?? '', ...callsAfter(line)])
    .map((line) => line.replace(/\s#\s.*$/, '').trim())
    .filter((line) => /^dstack [a-z]/.test(line) && !/…|\.\.\.$|\{.*\|/.test(line));
  return [...new Set(found)];
}

/** Calls that are not the first of their line. */
function callsAfter(line: string): string[] {
  return [...line.matchAll(/(?:;|&&|\|\|) *(dstack [^;|&]+)/g)].map(([, call = '']) => call);
}

/** Null: the program accepts the line; else its error. Nothing is carried out. */
export async function errorOf({ line, isMention }: CommandLine): Promise<string | null> {
  const [, name = '', ...rest] = wordsOf(line);
  if (name === 'help') return null;
  const entry = COMMANDS.find(
    (each) => each.name === name || ('alias' in each && each.alias === name),
  );
  if (entry === undefined) return `there is no command ${name}`;
  const errors: string[] = [];
  const program = new Command('dstack').exitOverride();
  program.configureOutput({ writeErr: (text) => errors.push(text), writeOut: () => {} });
  (await entry.load())(program, { args: rest, env: {} } as unknown as Cli);
  replaceActions(program);
  const words = withoutGlobals(rest);
  try {
    await program.parseAsync([entry.name, ...words], { from: 'user' });
  } catch (error) {
    const { code, message } = error as Error & { readonly code?: string };
    if (code === 'commander.helpDisplayed') return null;
    if (isMention && /^commander\.(missing|invalidArgument)/.test(code ?? '')) return null;
    return errors.join('').trim() || message;
  }
  const [command] = program.commands;
  const [part] = words;
  const parts = command?.commands.flatMap((each) => [each.name(), ...each.aliases()]) ?? [];
  if (parts.length === 0 || part === undefined || part.startsWith('-')) return null;
  return parts.includes(part) ? null : `${name} has no part ${part}`;
}

function replaceActions(command: Command): void {
  for (const child of command.commands) {
    child.action(() => {});
    replaceActions(child);
  }
}

/** `--project NAME`, `--debug` and `--color WHEN` are taken before the command is parsed. */
function withoutGlobals(words: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '--project' || word === '--color') at++;
    else if (!/^--(debug$|project=|color=)/.test(word)) kept.push(word);
  }
  return kept;
}

/** Words of a shell line, without redirections. */
function wordsOf(line: string): string[] {
  const words =
    line.replace(/\[(-[^\]]*)\]/g, '$1').match(/(?:"[^"]*"|'[^']*'|\$\([^)]*\)|[^\s"'])+/g) ?? [];
  const end = words.findIndex((word) => /^>|^<$/.test(word));
  return (end < 0 ? words : words.slice(0, end)).map((word) => word.replace(/^["']|["']$/g, ''));
}
