import type { RunFlags } from './flags.ts';

export interface ApplyOptions {
  readonly file: string | null;
  readonly yes: boolean;
  readonly force: boolean;
  readonly detach: boolean;
  readonly verbose: boolean;
  readonly json: boolean;
  /** Show the plan and stop. */
  readonly dryRun: boolean;
  readonly flags: RunFlags;
  readonly runArgs: readonly string[];
  /** How many of `runArgs` stand before `--`; the first may be the name of the file. */
  readonly countBeforeDashes: number;
  /** Long names of the given options, to refuse those that the type does not support. */
  readonly given: readonly string[];
}
