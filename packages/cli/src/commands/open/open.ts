import type { Run } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli, Connection } from '../../context.ts';
import { CliError, UsageError } from '../../errors.ts';
import { findRun } from '../../runs/get-run.ts';
import { jobToFollow } from '../../runs/job-to-follow.ts';
import { absolute } from '../../runs/service-url.ts';

export interface OpenOptions {
  /** Null: the web UI of the project. */
  readonly run: string | null;
  /** The editor of a dev environment. */
  readonly ide: boolean;
  /** The page of the run in the web UI. */
  readonly page: boolean;
  readonly print: boolean;
}

export function declareOpen(program: Command, cli: Cli, run: typeof runOpen = runOpen): void {
  program
    .command('open')
    .description('Open a service, an editor, or the web UI in the browser')
    .argument('[run]', 'name of the run; without it the web UI')
    .option('--ide', 'the editor of a dev environment')
    .option('--page', 'the page of the run in the web UI')
    .option('--print', 'only print the address')
    .action((name, o) =>
      run(
        {
          run: name ?? null,
          ide: o.ide ?? false,
          page: o.page ?? false,
          print: o.print ?? false,
        },
        cli,
      ),
    );
}

export async function runOpen(options: OpenOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  const url = await addressOf(options, connection);
  if (options.print) {
    cli.io.print(url);
    return;
  }
  const { openBrowser } = await import('../../terminal/open-browser.ts');
  if (openBrowser(requireOpenable(url), cli)) cli.io.info(`Opening ${url}`);
  else cli.io.print(url);
}

async function addressOf({ run: name, ide, page }: OpenOptions, connection: Connection) {
  if (name === null) {
    if (ide) throw new UsageError('--ide needs the name of a run');
    return connection.client.url;
  }
  const run = await findRun(connection, name);
  const ui = `${connection.client.url}/projects/${encodeURIComponent(connection.project.name)}/runs/${encodeURIComponent(name)}`;
  if (page) return ui;
  if (ide) return editorOf(run, name);
  if (run.service) return absolute(run.service.url, connection);
  const editor = jobToFollow(run)?.job_connection_info?.attached_ide_url;
  return editor ?? ui;
}

/** Editors have schemes of their own; a server must not make us run anything else. */
const OPENABLE = /^(https?|vscode|cursor|windsurf|zed):\/\/[^\s-]/;

function requireOpenable(url: string): string {
  if (OPENABLE.test(url)) return url;
  throw new CliError('The address of the run is not one that a browser or editor opens', {
    why: `the address is ${JSON.stringify(url)}`,
    next: 'dstack open RUN --print',
  });
}

function editorOf(run: Run, name: string): string {
  const info = jobToFollow(run)?.job_connection_info;
  const url = info?.attached_ide_url ?? info?.proxied_ide_url;
  if (url) return url;
  throw new CliError(`Run ${name} has no editor`, {
    why: `it is ${run.status}, of type ${run.run_spec.configuration.type}`,
    next: `dstack attach ${name}`,
  });
}
