import type { PackFiles } from '@dstack/mcp';
import type { Cli } from '../../context.ts';
import { CliError } from '../../errors.ts';
import { packFiles } from '../../files/upload.ts';
import { requireAccepted } from '../../files/upload-limit.ts';

/** Packs files as `dstack apply` does; relative paths start where the agent's program started `dstack mcp`. */
export function localFiles(
  cli: Pick<Cli, 'cwd' | 'home' | 'io'>,
  refusal: new (message: string) => Error,
): PackFiles {
  const refused = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      const { message, why, next } = error;
      throw new refusal([message, why, next].flatMap((part) => sentence(part)).join(' '));
    }
  };
  return (files, client) =>
    refused(async () => {
      const packed = await packFiles(files, cli.cwd, { client }, cli);
      await requireAccepted(packed.missing, { client });
      return { ...packed, upload: () => refused(packed.upload) };
    });
}

/** Causes and next steps begin with a small letter, as they follow a label in a terminal. */
const sentence = (text: string | undefined): string[] =>
  text ? [`${text.charAt(0).toUpperCase()}${text.slice(1)}.`] : [];
