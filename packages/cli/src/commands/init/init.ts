import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { absolutePath } from '../../files/upload.ts';
import { checkedRepo } from '../../repos/prepare.ts';
import { parseRepoUrl } from '../../repos/repo-id.ts';

export interface InitOptions {
  /** Path or URL. */
  readonly repo: string;
  readonly token: string | null;
  readonly gitIdentity: string | null;
}

export function declareInit(program: Command, cli: Cli, run: typeof runInit = runInit): void {
  program
    .command('init')
    .description('Give dstack access to a Git repository')
    .option('-P, --repo <path-or-url>', 'repository', '.')
    .option('-t, --token <token>', 'access token')
    .option('--git-identity <file>', 'SSH key')
    .action((o) =>
      run({ repo: o.repo, token: o.token ?? null, gitIdentity: o.gitIdentity ?? null }, cli),
    );
}

export async function runInit(options: InitOptions, cli: Cli): Promise<void> {
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
