import { existsSync } from 'node:fs';
import { cp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { CliError, EXIT, UsageError } from '../../errors.ts';
import { hangingText } from '../../terminal/text-width.ts';

export interface SkillInstallOptions {
  /** Empty = all. */
  readonly names: readonly string[];
  /** Into the user's home instead of the current folder. */
  readonly global: boolean;
  /** Null: `.claude/skills`. */
  readonly dir: string | null;
}

interface Skill {
  readonly name: string;
  readonly description: string;
  readonly folder: string;
}

/** Where agents look for skills by default. */
const FOLDER = join('.claude', 'skills');

/** The skills beside the bundle `dist/cli`, and from this source file. */
const PLACES = ['../../skills', '../../../../../skills'];

export function declareSkill(
  program: Command,
  cli: Cli,
  run = { list: runSkillList, install: runSkillInstall },
): void {
  const skill = program.command('skill').description('Install skill files for AI agents');
  skill.action(() => run.list(cli));
  skill
    .command('list')
    .description('List the skills of this version')
    .action(() => run.list(cli));
  skill
    .command('install')
    .description('Copy skills to where agents find them; files of an earlier version are replaced')
    .argument('[name...]', 'names of skills (default: all)')
    .option('-g, --global', 'for all projects: into your home')
    .option('--dir <folder>', `into this folder (default: ${FOLDER})`)
    .action((names: string[], options) =>
      run.install({ names, global: options.global ?? false, dir: options.dir ?? null }, cli),
    );
}

export async function runSkillList(cli: Cli): Promise<void> {
  for (const { name, description } of await skills()) {
    cli.io.print(`${cli.io.paint('bold', name)}\n  ${hangingText(description, 2, cli.io.width)}`);
  }
}

export async function runSkillInstall(options: SkillInstallOptions, cli: Cli): Promise<void> {
  if (options.global && options.dir !== null) {
    throw new UsageError('--global and --dir cannot be used together');
  }
  const all = await skills();
  const known = all.map(({ name }) => name);
  const unknown = options.names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new CliError(`There is no skill ${unknown}`, {
      exitCode: EXIT.notFound,
      why: `known: ${known.join(', ')}`,
      next: 'dstack skill list',
    });
  }
  const target = join(options.global ? cli.home : cli.cwd, options.dir ?? FOLDER);
  for (const { name, folder } of all) {
    if (options.names.length > 0 && !options.names.includes(name)) continue;
    const path = join(target, name);
    await cp(folder, path, { recursive: true });
    cli.io.info(`Installed ${path}`);
  }
}

async function skills(): Promise<Skill[]> {
  const place = PLACES.map((path) => fileURLToPath(new URL(path, import.meta.url))).find((path) =>
    existsSync(path),
  );
  if (place === undefined) {
    throw new CliError('This installation has no skills', {
      next: 'install the package again: npm install -g dstack-VERSION.tgz',
    });
  }
  const names = (await readdir(place)).sort();
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(place, name, 'SKILL.md'), 'utf8');
      const description = /^description: (.+)$/m.exec(text)?.[1] ?? '';
      return { name, description, folder: join(place, name) };
    }),
  );
}
