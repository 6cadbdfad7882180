/** The reference of the command line, from the declarations of its commands. */
import { Command } from 'commander';
import type { Cli } from '../../packages/cli/src/context.ts';
import { COMMANDS, EXIT_CODE_HELP, GLOBAL_HELP } from '../../packages/cli/src/program.ts';
import { shapeText } from './json-shapes.ts';

export interface DeclaredCommand {
  /** Like `fleet delete`. */
  readonly name: string;
  readonly command: Command;
}

/** Every command with its parts, in the order of the help text. */
export async function declaredCommands(): Promise<DeclaredCommand[]> {
  const found: DeclaredCommand[] = [];
  for (const entry of COMMANDS) {
    const declare = await entry.load();
    const program = new Command('dstack').exitOverride();
    declare(program, { args: [], env: {} } as unknown as Cli);
    const [command] = program.commands;
    if (command !== undefined) add(found, command, '');
  }
  return found;
}

function add(found: DeclaredCommand[], command: Command, prefix: string): void {
  const name = `${prefix}${command.name()}`;
  found.push({ name, command });
  for (const child of command.commands) add(found, child, `${name} `);
}

export async function cliReference(): Promise<string> {
  const commands = await declaredCommands();
  const sections = commands.map(section);
  const list = COMMANDS.map(
    ({ name, summary }) => `| [\`dstack ${name}\`](#dstack-${name}) | ${summary} |`,
  );
  return `# Command line

Every command and option, as \`dstack COMMAND --help\` prints them. Long options may be shortened as long as
they are unique. [Exit codes](../exit-codes.md), [JSON](json.md).

| Command | |
| --- | --- |
${list.join('\n')}

## Options of every command

\`\`\`text${GLOBAL_HELP}
${EXIT_CODE_HELP}
\`\`\`

${sections.join('\n\n')}
`;
}

function section({ name, command }: DeclaredCommand): string {
  const usage = `dstack ${name} ${command.usage()}`.trim();
  const parts = [`## dstack ${name}`, sentence(command.description()), `\`${usage}\``];
  const args = command.registeredArguments.filter(({ description }) => description);
  const options = command.options.filter(({ hidden }) => !hidden);
  if (args.length > 0) {
    parts.push(
      table(
        'Argument',
        args.map((arg) => [`\`${arg.name()}\``, choices(arg.description, arg)]),
      ),
    );
  }
  if (options.length > 0) {
    parts.push(
      table(
        'Option',
        options.map((option) => [`\`${option.flags}\``, choices(option.description, option)]),
      ),
    );
  }
  return parts.join('\n\n');
}

interface WithChoices {
  readonly argChoices?: readonly string[];
  readonly defaultValue?: unknown;
  readonly envVar?: string;
}

function choices(description: string, given: WithChoices): string {
  const more: string[] = [];
  if (given.argChoices) more.push(`one of ${given.argChoices.join(', ')}`);
  const { defaultValue: value } = given;
  if (typeof value === 'string' || typeof value === 'number') more.push(`default: ${value}`);
  if (given.envVar) more.push(`variable: ${given.envVar}`);
  return more.length > 0 ? `${description} (${more.join('; ')})` : description;
}

function table(head: string, rows: readonly (readonly string[])[]): string {
  const lines = rows.map(
    (cells) =>
      `| ${cells
        .map((text) =>
          text
            .replaceAll('|', '\\|')
            .replaceAll('<', '&lt;')
            .replace(/`[^`]*`/g, (code) => code.replaceAll('&lt;', '<')),
        )
        .join(' | ')} |`,
  );
  return `| ${head} | |\n| --- | --- |\n${lines.join('\n')}`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Commands that print JSON, and where the form of it is described. */
export async function jsonReference(): Promise<string> {
  const commands = await declaredCommands();
  const rows = commands
    .filter(({ command }) => command.options.some(({ long }) => long === '--json'))
    .map(({ name, command }) => {
      const own = command.options.find(({ long }) => long === '--json');
      return `| \`dstack ${name} --json\` | ${shapeText(name) ?? own?.description ?? ''} |`;
    });
  return `# JSON of the command line

With \`--json\` these commands print one JSON document to stdout, and messages to stderr. The objects in it
(runs, fleets, instances, offers, events, …) are those of the [HTTP API](http-api.md), with all of their
keys; their schemas are in \`/openapi.json\` of the server. New keys may be added, so ignore unknown ones.

| Command | Top-level keys |
| --- | --- |
${rows.join('\n')}

\`\`\`shell
dstack ps --all --json | jq -r '.runs[] | [.run_spec.run_name, .status] | @tsv'
\`\`\`
`;
}
