import type { Cli } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { LiveBlock, withSpinner } from '../../terminal/live.ts';
import type { ApplyOptions } from './apply-options.ts';
import { type Difference, renderDiff } from './spec-diff.ts';

/** The effect that applying would have on a fleet, gateway or volume. */
export interface CreateDecision {
  /** Printed before the question. */
  readonly notice: string;
  readonly question: string;
  readonly unchanged: boolean;
  /** The existing entity must be deleted first. */
  readonly replaces: boolean;
  /** Data that exist nowhere else are lost, so that `--yes` alone is not enough. */
  readonly losesData?: boolean;
}

export interface Existing {
  readonly differences: readonly Difference[];
  readonly action: 'create' | 'update' | null;
}

/** Notice and question for creating, updating or replacing an entity of the kind `noun`. */
export function decideCreate(
  noun: string,
  name: string | null,
  existing: Existing | null,
): CreateDecision {
  const title = noun.charAt(0).toUpperCase() + noun.slice(1);
  if (existing === null) {
    const notice = name ? `${title} ${name} does not exist yet.` : '';
    const question = `Create the ${noun}?`;
    return { notice, question, unchanged: false, replaces: false };
  }
  const found = `Found ${noun} ${name}.`;
  const { differences, action } = existing;
  if (differences.length === 0) {
    return {
      notice: `${found} No configuration changes detected.`,
      question: `Re-create the ${noun}?`,
      unchanged: true,
      replaces: true,
    };
  }
  const changes = renderDiff(differences).trimEnd();
  if (action === 'update') {
    return {
      notice: `${found} Detected changes that can be updated in-place:\n${changes}`,
      question: `Update the ${noun} in-place?`,
      unchanged: false,
      replaces: false,
    };
  }
  return {
    notice: `${found} Detected changes that cannot be updated in-place:\n${changes}`,
    question: `Re-create the ${noun}?`,
    unchanged: false,
    replaces: true,
  };
}

/** True if the user or a flag agrees. Prints the reason if the answer is no. */
export async function confirmed(
  decision: CreateDecision,
  options: ApplyOptions,
  cli: Cli,
): Promise<boolean> {
  if (options.yes) {
    if (options.force) return true;
    if (decision.losesData && !decision.unchanged) {
      throw new CliError('--yes alone does not delete data', {
        why: 'applying this re-creates it, and all data on it would be lost',
        next: 'pass --force too, or apply without --yes and answer the question',
      });
    }
    if (!decision.unchanged) return true;
    cli.io.info('Exiting... (nothing to change; --force re-creates it anyway)');
    return false;
  }
  if (await cli.prompt.confirm(decision.question)) return true;
  cli.io.info('Exiting...');
  return false;
}

const POLL_MS = 500;

/** Polls until `isDone`, e.g. until a deleted entity no longer exists. */
export async function waitUntil(
  title: string,
  cli: Cli,
  isDone: () => Promise<boolean>,
): Promise<void> {
  await withSpinner(cli.io, title, async () => {
    while (!(await isDone())) await cli.wait(POLL_MS, cli.signal);
  });
}

export interface ProvisioningWatch<T> {
  readonly title: string;
  readonly get: () => Promise<T>;
  readonly done: (entity: T) => boolean;
  readonly table: (entity: T) => string;
  /**
   * Whether waiting longer makes no sense, since nothing about it has changed for so long; without it,
   * the server ends the wait.
   */
  readonly isStuck?: (unchangedMs: number) => boolean;
  /** Progress in lines; where no table can be redrawn, each new line is printed once. */
  readonly steps?: (entity: T) => readonly string[];
  /** Offered after Ctrl-C. */
  readonly delete: () => Promise<void>;
  readonly noun: string;
}

/**
 * Shows an entity until it is ready or stuck. Ctrl-C asks whether to delete it; without deletion
 * provisioning continues in the background, and the result is null.
 */
export async function watchProvisioning<T>(
  watch: ProvisioningWatch<T>,
  options: ApplyOptions,
  cli: Cli,
): Promise<T | null> {
  const stop = new AbortController();
  const release = cli.onInterrupt(() => stop.abort());
  const block = new LiveBlock(cli.io);
  let known: readonly string[] = [];
  let last = { text: '', since: cli.now() };
  try {
    for (;;) {
      const entity = await watch.get();
      if (watch.done(entity)) return entity;
      const text = JSON.stringify(entity);
      if (text !== last.text) last = { text, since: cli.now() };
      if (watch.isStuck?.(cli.now() - last.since)) return entity;
      block.show(watch.title, watch.table(entity));
      const steps = block.active ? [] : (watch.steps?.(entity) ?? []);
      for (const step of steps.filter((each) => !known.includes(each))) cli.io.info(step);
      known = steps;
      await cli.wait(POLL_MS, stop.signal);
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    block.stop();
    release();
  }
  cli.setExitCode(EXIT.interrupted);
  cli.io.endLine();
  if (!options.yes && (await cli.prompt.confirm(`Delete the ${watch.noun} before exiting?`))) {
    await watch.delete();
    cli.io.info('Deleting...');
  } else {
    cli.io.info('Exiting... Provisioning continues in the background.');
  }
  return null;
}

/** The error for an entity that failed, with the reason that the server gave. */
export function provisioningFailed(noun: string, name: string, why: string | null): CliError {
  return new CliError(`Provisioning of ${noun} ${name} failed`, {
    why: why ?? 'the server gave no reason',
    next: `dstack event --target-${noun} ${name}`,
  });
}
