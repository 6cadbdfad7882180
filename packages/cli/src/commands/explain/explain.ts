import type { ExplainKind, Explanation } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli, Connection } from '../../context.ts';
import { CliError, EXIT, UsageError } from '../../errors.ts';
import { findRun } from '../../runs/get-run.ts';
import { explanationText } from './explanation-text.ts';

export interface ExplainOptions {
  readonly kind: ExplainKind;
  readonly name: string;
  readonly json: boolean;
  readonly verbose: boolean;
}

/** The kinds, by their names on the command line. */
export const KINDS: Readonly<Record<string, ExplainKind>> = {
  run: 'runs',
  job: 'jobs',
  service: 'services',
  fleet: 'fleets',
  instance: 'instances',
  volume: 'volumes',
  gateway: 'gateways',
};

const EXAMPLES = `
Examples:
  dstack explain train                 why the run train waits, or ended
  dstack explain job train-0-0         one job of it
  dstack explain service api           replica by replica
  dstack explain fleet lab             why a fleet has the instances it has
  dstack explain instance lab-0        why a host is not used`;

export function declareExplain(
  program: Command,
  cli: Cli,
  run: typeof runExplain = runExplain,
): void {
  program
    .command('explain')
    .description('Explain the state of a run or another resource, and how to change it')
    .usage('[options] [kind] <name>')
    .argument(
      '<kind-and-name...>',
      `name of a run; or one of ${Object.keys(KINDS).join(', ')}, and its name`,
    )
    .option('-v, --verbose', 'show all considered fleets and offers, and all events')
    .option('--json', 'print JSON: the answer of the server')
    .addHelpText('after', EXAMPLES)
    .action((words: string[], options) =>
      run(
        { ...subject(words), json: options.json ?? false, verbose: options.verbose ?? false },
        cli,
      ),
    );
}

function subject(words: readonly string[]): Pick<ExplainOptions, 'kind' | 'name'> {
  const [first = '', second, ...more] = words;
  if (second === undefined) return { kind: 'runs', name: first };
  const kind = KINDS[first] ?? KINDS[first.replace(/s$/, '')];
  if (kind !== undefined && more.length === 0) return { kind, name: second };
  throw new UsageError(`Cannot explain ${words.join(' ')}`, {
    why: `expected the name of a run, or one of ${Object.keys(KINDS).join(', ')} and its name`,
  });
}

export async function runExplain(options: ExplainOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  const explanation = await ask(options, connection);
  if (options.json) {
    cli.io.json(explanation, 2);
    return;
  }
  const layout = { width: cli.io.width, paint: cli.io.paint };
  const text = explanationText(explanation, {
    ...{ now: cli.now(), verbose: options.verbose, layout },
    serverUrl: connection.client.url,
  });
  cli.io.print(text);
}

async function ask({ kind, name }: ExplainOptions, connection: Connection): Promise<Explanation> {
  try {
    return await connection.project.explain(kind, name);
  } catch (error) {
    const { isUnsupported, ResourceNotExistsError } = await import('@dstack/client');
    const word = Object.keys(KINDS).find((one) => KINDS[one] === kind) ?? '';
    if (isUnsupported(error)) {
      throw new CliError('This server cannot explain', {
        why: 'it has no such endpoint: it is an older server, or another implementation of dstack',
        next: kind === 'runs' ? `dstack event --within-run ${name}` : 'dstack event',
        cause: error,
      });
    }
    if (!(error instanceof ResourceNotExistsError)) throw error;
    // For runs, also suggests similar names.
    if (kind === 'runs') await findRun(connection, name);
    const found = `${word.charAt(0).toUpperCase()}${word.slice(1)} ${name}`;
    throw new CliError(`${found} does not exist`, {
      exitCode: EXIT.notFound,
      why: error.message,
      next: LISTS[kind],
      cause: error,
    });
  }
}

/** The command that lists each kind. */
const LISTS: Readonly<Record<ExplainKind, string>> = {
  runs: 'dstack ps --all',
  jobs: 'dstack ps --verbose',
  services: 'dstack ps --all',
  fleets: 'dstack fleet',
  instances: 'dstack fleet --verbose',
  volumes: 'dstack volume',
  gateways: 'dstack gateway',
};
