import { type Command, Option } from 'commander';
import type { Cli } from '../../context.ts';
import { absolutePath } from '../../files/upload.ts';
import { checkedRepo } from '../../repos/prepare.ts';
import { parseRepoUrl } from '../../repos/repo-id.ts';
import { INIT_TEMPLATES } from './templates.ts';

export interface InitOptions {
  /** Path or URL. */
  readonly repo: string;
  readonly token: string | null;
  readonly gitIdentity: string | null;
  /** Instead: write this configuration. */
  readonly template: string | null;
  readonly force: boolean;
}

export function declareInit(program: Command, cli: Cli, run: typeof runInit = runInit): void {
  program
    .command('init')
    .description('Give dstack access to a Git repository, or write a configuration to start with')
    .option('-P, --repo <path-or-url>', 'repository', '.')
    .option('-t, --token <token>', 'access token')
    .option('--git-identity <file>', 'SSH key')
    .addOption(
      new Option('--template <name>', 'write a configuration instead').choices(
        Object.keys(INIT_TEMPLATES),
      ),
    )
    .option('--force', 'with --template: replace an existing file')
    .addHelpText('after', templateHelp())
    .action((o) =>
      run(
        {
          repo: o.repo,
          token: o.token ?? null,
          gitIdentity: o.gitIdentity ?? null,
          template: o.template ?? null,
          force: o.force ?? false,
        },
        cli,
      ),
    );
}

function templateHelp(): string {
  const width = Math.max(...Object.keys(INIT_TEMPLATES).map((name) => name.length));
  const lines = Object.entries(INIT_TEMPLATES).map(
    ([name, { summary }]) => `  ${name.padEnd(width)}   ${summary}`,
  );
  return `\nTemplates:\n${lines.join('\n')}`;
}

export async function runInit(options: InitOptions, cli: Cli): Promise<void> {
  if (options.template !== null) {
    const { writeTemplate } = await import('./write-template.ts');
    return writeTemplate(options.template, options.force, cli);
  }
  const connection = await cli.connect();
  const isUrl = parseRepoUrl(options.repo) !== null;
  const selection = {
    local: isUrl ? null : absolutePath(options.repo, cli.cwd, cli.home),
    url: isUrl ? options.repo : null,
    branch: null,
    hash: null,
  };
  const { token, gitIdentity } = options;
  const flags = { repo: options.repo, branch: null, hash: null, token, gitIdentity };
  const repo = await checkedRepo(selection, flags, null, connection, cli);
  await repo.register();
  cli.io.info('OK');
}
