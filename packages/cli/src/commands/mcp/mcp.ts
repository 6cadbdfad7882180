import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { withJobSockets } from '../../job-access/job-sockets.ts';
import { productVersion } from '../../version.ts';
import { localFiles } from './local-files.ts';

const HELP = `
The agent's program starts this command itself and speaks MCP with it over stdin and stdout, for example:

  claude mcp add dstack -- dstack mcp
  { "mcpServers": { "dstack": { "command": "dstack", "args": ["mcp"] } } }

It uses the same server, project and token as other commands. To let an agent only read, give it a
token of its own: dstack token create agent --scope read, in the variable DSTACK_TOKEN.
A server has the same at its path /mcp, for agents that cannot start programs.`;

/** The pages with the site in `dist/docs`, their sources in a package, and from this source file. */
const DOCS = ['../docs', '../../docs', '../../../../../docs'];

export function declareMcp(program: Command, cli: Cli, run: typeof runMcp = runMcp): void {
  program
    .command('mcp')
    .description('Serve dstack to an AI agent: tools and resources of MCP, over stdin and stdout')
    .addHelpText('after', HELP)
    .action(() => run(cli));
}

export async function runMcp(cli: Cli): Promise<void> {
  if (cli.io.interactive) {
    cli.io.info(
      'Serving MCP on stdin and stdout: an AI agent starts this command (dstack mcp --help).',
    );
  }
  const { docsInFolder, serveOverStdio, ToolRefusal } = await import('@dstack/mcp');
  await serveOverStdio({
    version: await productVersion(),
    connect: async () => withJobSockets(await cli.connect(), cli),
    packFiles: localFiles(cli, ToolRefusal),
    docs: docsInFolder(docsFolder()),
    signal: cli.signal,
    onError: (error) => cli.io.warn(`mcp: ${error.message}`),
  });
}

function docsFolder(): string {
  const found = DOCS.map((path) => fileURLToPath(new URL(path, import.meta.url))).find((path) =>
    existsSync(path),
  );
  return found ?? '';
}
