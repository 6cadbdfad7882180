import { DONE_WORD, type NoticeJob } from '@dstack/contract/agent';
import type { Execution } from '../executor/executor.ts';
import type { EventLogger } from '../host/log.ts';
import { type BootClock, type BootMoment, bootClock } from './duration-limit.ts';
import { DurationTimer } from './duration-timer.ts';

/** A notice as the record holds it: the job has to leave the host. */
export interface JobNotice extends Pick<NoticeJob, 'id' | 'reason' | 'message'> {
  readonly interruptAt: BootMoment;
  readonly endsAt: BootMoment;
}

export function noticeOf(order: NoticeJob, now: BootMoment = bootClock()): JobNotice {
  const { id, reason, message, interrupt_in, ends_in } = order;
  const after = (seconds: number): BootMoment => ({ ...now, ms: now.ms + seconds * 1000 });
  return { id, reason, message, interruptAt: after(interrupt_in), endsAt: after(ends_in) };
}

/** Milliseconds; 0 after a restart of the host, which no process outlives. */
export function leftUntil(at: BootMoment, now: BootMoment): number {
  return at.bootId === now.bootId ? Math.max(0, at.ms - now.ms) : 0;
}

/** The text of the file that `DSTACK_PREEMPTION_FILE` names, with times of this host's clock. */
export function noticeText(notice: JobNotice, now: BootMoment, wallMs: number): string {
  const at = (moment: BootMoment): string =>
    new Date(wallMs + leftUntil(moment, now)).toISOString().replace(/\.\d+Z$/, 'Z');
  const { message, reason } = notice;
  const text = {
    reason: message ?? reason,
    interrupt_at: at(notice.interruptAt),
    ends_at: at(notice.endsAt),
  };
  return `${JSON.stringify(text)}\n`;
}

interface Actions {
  /** Ctrl-C is due; `limit`: seconds from then to SIGKILL. */
  readonly interrupt: (notice: JobNotice, limit: number) => void;
  /** SIGKILL is due, also for a stop that began before the notice. */
  readonly kill: (notice: JobNotice) => void;
}

/** Writes the notice of a running job, and carries it out at its times. */
export class NoticeTimers {
  readonly #actions: Actions;
  readonly #log: EventLogger;
  readonly #clock: BootClock;
  readonly #interrupt = new DurationTimer();
  readonly #kill = new DurationTimer();
  #written: string | null = null;
  /** The notice whose Ctrl-C an earlier program of the agent has sent. */
  #begun: string | null = null;
  /** Settled once the file has its text. */
  #writing: Promise<void> = Promise.resolve();

  constructor(actions: Actions, log: EventLogger, clock: BootClock = bootClock) {
    this.#actions = actions;
    this.#log = log;
    this.#clock = clock;
  }

  /** Null: the notice was withdrawn. */
  follow(notice: JobNotice | null, execution: Execution): void {
    this.clear();
    if (notice === null) {
      if (this.#written !== null) this.#write(execution, '');
      this.#written = null;
      return;
    }
    const now = this.#clock();
    if (this.#written !== notice.id) {
      this.#written = notice.id;
      this.#write(execution, noticeText(notice, now, Date.now()));
    }
    if (this.#begun === notice.id) {
      this.#killAfter(leftUntil(notice.endsAt, now), notice);
      return;
    }
    const untilInterrupt = leftUntil(notice.interruptAt, now);
    const grace = leftUntil(notice.endsAt, notice.interruptAt);
    this.#interrupt.set(untilInterrupt, async () => {
      // Otherwise the notice could replace what the job writes at Ctrl-C.
      await this.#writing;
      if (this.#written !== notice.id) return;
      this.#actions.interrupt(notice, grace / 1000);
      this.#killAfter(grace, notice);
    });
    // The host or the agent may have stood still at the time of Ctrl-C: the grace is left all the same.
    this.#killAfter(untilInterrupt + grace, notice);
  }

  #killAfter(ms: number, notice: JobNotice): void {
    this.#kill.set(ms, () => this.#actions.kill(notice));
  }

  /**
   * The program of the agent before this one has written this notice and has sent Ctrl-C: since then the
   * file is the job's, which may have written that it is done.
   */
  hasBegun(notice: JobNotice): void {
    this.#written = notice.id;
    this.#begun = notice.id;
  }

  clear(): void {
    this.#interrupt.clear();
    this.#kill.clear();
  }

  #write(execution: Execution, text: string): void {
    // One after another: a withdrawal must not be overtaken by the notice.
    this.#writing = this.#writing
      .then(() => execution.writeNotice(text))
      .catch((error) => this.#log.error('notice not written', error));
  }
}

/** Whether the job has written that it is done, so that its exit after Ctrl-C is its own. */
export async function isReportedDone(execution: Execution, log: EventLogger): Promise<boolean> {
  try {
    return (await execution.readNotice()).trim() === DONE_WORD;
  } catch (error) {
    log.error('notice not read', error);
    return false;
  }
}
