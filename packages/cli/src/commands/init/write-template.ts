import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Cli } from '../../context.ts';
import { CliError } from '../../errors.ts';
import { INIT_TEMPLATES } from './templates.ts';

/** Writes a configuration into the current folder; needs no server. */
export async function writeTemplate(name: string, force: boolean, cli: Cli): Promise<void> {
  const template = INIT_TEMPLATES[name];
  if (template === undefined) throw new Error(`there is no template ${name}`);
  const { file, text } = template;
  try {
    await writeFile(resolve(cli.cwd, file), text, { flag: force ? 'w' : 'wx' });
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw new CliError(exists ? `${file} exists already` : `Cannot write ${file}`, {
      why: exists ? 'it was not changed' : (error as Error).message,
      next: exists ? `dstack init --template ${name} --force` : undefined,
      cause: error,
    });
  }
  cli.io.info(`Created ${file}: ${template.summary}. Next: dstack apply -f ${file}`);
}
