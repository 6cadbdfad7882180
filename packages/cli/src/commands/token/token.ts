import { Problem, parseDuration } from '@dstack/contract';
import type { ServiceToken, ServiceTokenScope } from '@dstack/contract/wire';
import { type Command, Option } from 'commander';
import type { Cli } from '../../context.ts';
import { CliError, EXIT, UsageError } from '../../errors.ts';
import { utcTime } from '../../format/time.ts';
import { showList } from '../../output/listing.ts';
import {
  addOutputOptions,
  type OutputOptions,
  outputOptions,
} from '../../output/output-options.ts';
import { describeFailure } from '../../report.ts';
import { orNotFound } from '../../resource-error.ts';
import { withSpinner } from '../../terminal/live.ts';
import { renderTable } from '../../terminal/table.ts';

const SCOPES: readonly ServiceTokenScope[] = [
  'models',
  'services',
  'read',
  'user',
  'manager',
  'admin',
];

export function declareToken(
  program: Command,
  cli: Cli,
  run = { list: runTokenList, create: runTokenCreate, delete: runTokenDelete },
): void {
  const token = addOutputOptions(
    program.command('token').description('Manage tokens of programs, each for one project'),
  );
  token.action((options) => run.list(outputOptions(options), cli));
  addOutputOptions(
    token.command('list').description('List tokens (without the tokens themselves)'),
  ).action((_o, self: Command) => run.list(outputOptions(self.optsWithGlobals()), cli));
  token
    .command('create')
    .description('Create a token and print it once; only admins of the project may')
    .argument('<name>')
    .addOption(
      new Option(
        '--scope <scope>',
        'models or services (requests to them only), read (default), or what a member with that role may do',
      ).choices(SCOPES),
    )
    .option('--model <name...>', 'only these models; implies --scope models')
    .option('--service <run...>', 'requests to these services only; implies --scope services')
    .option('--requests-per-minute <n>', 'requests to models; implies --scope models')
    .option('--tokens-per-day <n>', 'tokens of models per day (UTC), like 200k')
    .option('--tokens-per-month <n>', 'tokens of models per month (UTC), like 5M')
    .option(
      '--expires <duration>',
      'how long it is valid, like 12h or 30d (default: until deleted)',
    )
    .option('--json', 'print JSON')
    .action((name, options, command: Command) =>
      run.create(
        {
          name,
          scope: options.scope ?? null,
          models: options.model ?? null,
          services: options.service ?? null,
          requestsPerMinute: options.requestsPerMinute ?? null,
          tokensPerDay: options.tokensPerDay ?? null,
          tokensPerMonth: options.tokensPerMonth ?? null,
          expires: options.expires ?? null,
          json: command.optsWithGlobals().json ?? false,
        },
        cli,
      ),
    );
  token
    .command('delete')
    .description('Revoke a token')
    .argument('<name>')
    .option('-y, --yes', 'do not ask')
    .action((name, options) => run.delete({ name, yes: options.yes ?? false }, cli));
}

export async function runTokenList(options: OutputOptions, cli: Cli): Promise<void> {
  const { project } = await cli.connect();
  const listing = {
    key: 'tokens',
    load: () => project.serviceTokens.list(),
    table: (list: readonly ServiceToken[]) => table(list, cli),
    name: (token: ServiceToken) => token.name,
    document: { project: project.name },
    empty: `No tokens of programs in project ${project.name}. Create one: dstack token create NAME`,
  };
  await showList(listing, { ...options, watch: false }, cli);
}

function table(tokens: readonly ServiceToken[], cli: Cli): string {
  const columns = [
    { header: 'NAME', keep: true },
    { header: 'SCOPE', keep: true },
    { header: 'MODELS', optional: 3 },
    { header: 'SERVICES', optional: 3 },
    { header: 'USED TODAY', optional: 4 },
    { header: 'THIS MONTH', optional: 4 },
    { header: 'BY', optional: 2 },
    { header: 'EXPIRES' },
    { header: 'LAST USED', optional: 1 },
  ];
  const layout = { width: cli.io.width, paint: cli.io.paint };
  return renderTable(
    columns,
    tokens.map((token) => row(token, cli)),
    layout,
  );
}

function row(token: ServiceToken, cli: Cli): string[] {
  const { name, scope, created_by, expires_at, last_used_at, models, services, limits, used } =
    token;
  return [
    ...[name, scope, models?.join(', ') ?? (scope === 'models' ? 'all' : '-')],
    services?.join(', ') ?? '-',
    usedText(used?.day ?? 0, limits?.tokens_per_day ?? null),
    usedText(used?.month ?? 0, limits?.tokens_per_month ?? null),
    ...[created_by, expiry(expires_at, cli), last_used_at === null ? '-' : utcTime(last_used_at)],
  ];
}

/** Tokens of models, and the budget. */
function usedText(used: number, budget: number | null): string {
  if (budget !== null) return `${used} of ${budget}`;
  return used === 0 ? '-' : String(used);
}

/** An expired token stays in the list until it is deleted. */
function expiry(expiresAt: string | null, cli: Cli): string {
  if (expiresAt === null) return 'never';
  const text = utcTime(expiresAt);
  return Date.parse(expiresAt) > cli.now() ? text : cli.io.paint('error', `expired ${text}`);
}

export interface TokenCreateOptions {
  readonly name: string;
  /** Null: `read`, or the scope that the next ones need. */
  readonly scope: ServiceTokenScope | null;
  readonly models: readonly string[] | null;
  readonly services: readonly string[] | null;
  readonly requestsPerMinute: string | null;
  readonly tokensPerDay: string | null;
  readonly tokensPerMonth: string | null;
  readonly expires: string | null;
  readonly json: boolean;
}

/** Only the token goes to stdout, so that it can be piped to a secret store. */
export async function runTokenCreate(options: TokenCreateOptions, cli: Cli): Promise<void> {
  const { name, expires, json } = options;
  const limits = {
    models: options.models === null ? null : [...options.models],
    requests_per_minute: countOf('--requests-per-minute', options.requestsPerMinute),
    tokens_per_day: countOf('--tokens-per-day', options.tokensPerDay),
    tokens_per_month: countOf('--tokens-per-month', options.tokensPerMonth),
  };
  const services = options.services === null ? null : [...options.services];
  const scope = scopeOf(options.scope, services !== null, limits);
  const expires_in = expires === null ? null : secondsOf(expires);
  const { project } = await cli.connect();
  const created = await project.serviceTokens
    .create({ name, scope, expires_in, services, ...limits })
    .catch((error) => onlyAdmins(error, project.name, name));
  if (json) {
    cli.io.json(created, 2);
    return;
  }
  cli.io.info(`Token ${name} of project ${project.name}. It will not be shown again:`);
  cli.io.print(`${created.token}\n`);
}

/** Members read who can create a token for them, and what they can use without one. */
async function onlyAdmins(error: unknown, project: string, name: string): Promise<never> {
  const { ForbiddenError } = await import('@dstack/client');
  if (!(error instanceof ForbiddenError)) throw error;
  const denied = await describeFailure(error);
  if (denied.exitCode !== EXIT.notAllowed || !/this needs the role/.test(denied.why ?? '')) {
    throw error;
  }
  // The server lists the admins at the end of its advice.
  const [, admins] = /: ([^:]+)$/.exec(denied.next ?? '') ?? [];
  throw new CliError(`Only admins of project ${project} may create tokens`, {
    exitCode: EXIT.notAllowed,
    why: denied.why ?? undefined,
    next: `ask an admin${admins ? ` (${admins})` : ''} to run \`dstack token create ${name}\` for you; programs on your own computer can use your own token`,
    cause: error,
  });
}

/** Throws `UsageError` if the options contradict each other. */
function scopeOf(
  chosen: ServiceTokenScope | null,
  isForServices: boolean,
  limits: object,
): ServiceTokenScope {
  const isLimited = Object.values(limits).some((limit) => limit !== null);
  const next = 'omit --scope, or create two tokens';
  if (isLimited && isForServices) {
    throw new UsageError('--service cannot be combined with limits and models', {
      next: 'create two tokens',
    });
  }
  const scope = chosen ?? (isForServices ? 'services' : isLimited ? 'models' : 'read');
  if (isLimited && scope !== 'models') {
    throw new UsageError(`limits and models cannot be combined with --scope ${scope}`, { next });
  }
  if (isForServices && scope !== 'services') {
    throw new UsageError(`--service cannot be combined with --scope ${scope}`, { next });
  }
  if (scope === 'services' && !isForServices) {
    throw new UsageError('--scope services needs the services', { next: 'add --service RUN' });
  }
  return scope;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };

/** `5000`, `200k`, `1.5M` */
function countOf(flag: string, text: string | null): number | null {
  if (text === null) return null;
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)([kmg]?)$/i.exec(text) ?? [];
  const count = Number(digits) * (UNITS[unit.toLowerCase()] ?? Number.NaN);
  if (digits !== '' && Number.isSafeInteger(count) && count > 0) return count;
  throw new UsageError(`${flag} ${text} is not a number above 0`, {
    next: 'write it like 5000, 200k or 2M',
  });
}

function secondsOf(text: string): number {
  const seconds = parseDuration(text);
  if (!(seconds instanceof Problem) && seconds > 0) return seconds;
  throw new UsageError(`--expires ${text} is not a duration`, { next: 'write it like 12h or 30d' });
}

export async function runTokenDelete(
  { name, yes }: { name: string; yes: boolean },
  cli: Cli,
): Promise<void> {
  const { project } = await cli.connect();
  if (!yes && !(await cli.prompt.confirm(`Revoke the token ${name}?`))) {
    cli.io.info('Exiting...');
    return;
  }
  await withSpinner(cli.io, 'Deleting token...', () =>
    orNotFound(`Token ${name}`, 'dstack token list', () => project.serviceTokens.delete([name])),
  );
  cli.io.info('OK');
}
