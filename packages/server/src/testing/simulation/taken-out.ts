/**
 * Mends that the simulation must miss when they are taken out: `scripts/bench taken-out` takes one after the other out
 * of a copy of the sources and runs stories until an invariant breaks. A mend whose text has changed fails a test.
 */
import type { SimulationOptions } from './simulation.ts';

export interface TakenOut {
  readonly name: string;
  /** From the root of the repository. */
  readonly file: string;
  /** Occurs once in the file. */
  readonly text: string;
  readonly instead: string;
  readonly story: Omit<SimulationOptions, 'seed'>;
}

const STEPS = 100;

export const TAKEN_OUT: readonly TakenOut[] = [
  {
    name: 'servers share the time of their database',
    file: 'packages/server/src/clock/clock-watch.ts',
    text: 'clock.follow(await this.#sample(database));',
    instead: 'await this.#sample(database);',
    story: { steps: STEPS },
  },
  {
    name: 'a time without servers counts for no deadline',
    file: 'packages/core/src/time/silence.ts',
    text: 'if (time.until <= since) continue;',
    instead: 'if (time.until < Infinity) continue;',
    story: { steps: STEPS, faults: { outage: 1.5, crash: 0.2 } },
  },
  {
    name: 'a deadline does not begin anew after an outage',
    file: 'packages/core/src/time/silence.ts',
    text: 'const left = ofSilence - observed;',
    instead: 'const left = ofSilence;',
    story: { steps: 16, neverReady: 0.8, faults: { restarts: 2, crash: 0, outage: 0 } },
  },
  {
    name: 'a job that its host could not start is put back in the queue',
    file: 'packages/core/src/reconcile/job/host-faults.ts',
    text: 'export function putBack(pass: RunPass, job: JobRecord, fault: Fault): boolean {',
    instead:
      'export function putBack(pass: RunPass, job: JobRecord, fault: Fault): boolean {\n  if (job.id !== null) return false;',
    story: {
      steps: STEPS,
      faults: { hangDaemon: 4, reviveDaemon: 2, removeContainer: 1, restartDaemon: 1, crash: 0 },
    },
  },
  {
    name: 'a held lease is waited for until it ends, and no longer',
    file: 'packages/server/src/loops/leased.ts',
    text: "return { ending: 'held', ms: turns?.wait(kind, key, ms) ?? ms };",
    instead: "return { ending: 'held', ms: 4 * ms + 10_000 };",
    story: { steps: STEPS },
  },
  {
    name: 'a server that can open no connection judges no host',
    file: 'packages/server/src/hosts/host-rows.ts',
    text: 'if (this.#options.isShort?.()) {',
    instead: 'if (this.#options.isShort?.() && hostId === null) {',
    story: {
      steps: STEPS,
      faults: {
        ...{ breakLink: 0.2, failHost: 0, hangDaemon: 0, restartDaemon: 0, removeContainer: 0 },
        ...{ crash: 0, interrupt: 0, vanish: 0, exhaust: 0.6, refill: 0.3 },
      },
    },
  },
];
