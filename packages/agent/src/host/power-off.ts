/** Powers the machine off. */
import type { EventLogger } from './log.ts';
import { runToolFully, type ToolEnd } from './run-tool.ts';

export type RunTool = (
  file: string,
  args: readonly string[],
  timeoutMs: number,
) => Promise<ToolEnd>;

/** The second is for agents whose `PATH` lacks the programs of administrators. */
const PROGRAMS = ['poweroff', '/sbin/poweroff'] as const;
/** After so many requests that have changed nothing, services are not waited for any more. */
const PATIENT_REQUESTS = 3;
const LIMIT_MS = 50_000;

export class PowerOff {
  readonly #log: EventLogger;
  readonly #run: RunTool;
  #requests = 0;
  #running: Promise<void> | null = null;

  constructor(log: EventLogger, run: RunTool = runToolFully) {
    this.#log = log;
    this.#run = run;
  }

  /**
   * Begins to end the machine, and is called again while it lives. First its services end in order; where no
   * init system carries that out, or a service prevents it, the kernel is ordered to power off at once. In a namespace of
   * processes that ends the namespace only.
   */
  request(): Promise<void> {
    this.#running ??= this.#carryOut(++this.#requests).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #carryOut(request: number): Promise<void> {
    if (request <= PATIENT_REQUESTS && (await this.#ordered([]))) return;
    await this.#ordered(['-ff']);
  }

  async #ordered(args: readonly string[]): Promise<boolean> {
    for (const file of PROGRAMS) {
      this.#log.info('powering the machine off', { command: [file, ...args].join(' ') });
      const end = await this.#run(file, args, LIMIT_MS);
      if (end.kind === 'missing') continue;
      if (end.kind === 'ended' && end.code === 0) return true;
      this.#log.info('the machine was not powered off', {
        reason: end.kind === 'ended' ? end.stderr.trim().slice(0, 200) : end.kind,
      });
      return false;
    }
    this.#log.info('the machine was not powered off', { reason: 'it has no program for it' });
    return false;
  }
}
