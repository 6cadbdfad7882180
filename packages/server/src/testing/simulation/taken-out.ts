/**
 * Mends that the simulation must miss when they are taken out: `scripts/bench taken-out` takes one after the other out
 * of a copy of the sources and runs stories until an invariant breaks. A mend whose text has changed fails a test.
 */
import type { SimulationOptions } from './simulation-options.ts';

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

const ARRAYS = { steps: 60, arrays: 6 };
const MANY_ARRAYS = { steps: 100, arrays: 20 };
const LEDGER = { steps: 60 };
const WINDOWS = { steps: 60, hasWindows: true, faults: { outage: 0.3 } };
const LIES = { steps: 60, faults: { agentLies: 8, gateway: 12, crash: 0.8 } };

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
    file: 'packages/server/src/queues/leased.ts',
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
  {
    name: 'no more members of an array are alive than may be',
    file: 'packages/core/src/reconcile/run/array.ts',
    text: 'Math.min(maxParallel - aliveMembers(members), MOST',
    instead: 'Math.min(maxParallel, MOST',
    story: ARRAYS,
  },
  {
    name: 'a member that was stopped before its birth is not born again',
    file: 'packages/core/src/reconcile/run/array.ts',
    text: 'if (array.early.includes(index)) continue;',
    instead: '',
    story: MANY_ARRAYS,
  },
  {
    name: 'as many members of an array may fail as it allows',
    file: 'packages/core/src/reconcile/run/array.ts',
    text: 'if (members.failed > maxFailures) return',
    instead: 'if (members.failed > 0) return',
    story: ARRAYS,
  },
  {
    name: 'members of an array obey its hold',
    file: 'packages/core/src/reconcile/run/obey-array.ts',
    text: '  takeHold(pass, wanted);',
    instead: '',
    story: ARRAYS,
  },
  {
    name: 'a run waits until all others have ended that it depends on',
    file: 'packages/core/src/placement/eligible/dependencies.ts',
    text: 'return dependencies.every(({ outcome })',
    instead: 'return dependencies.some(({ outcome })',
    story: ARRAYS,
  },
  {
    name: 'a run depends on how others have ended',
    file: 'packages/core/src/placement/eligible/dependencies.ts',
    text: "return on === 'end' || on === outcome;",
    instead: 'return on !== null || outcome !== null;',
    story: ARRAYS,
  },
  {
    name: 'a gateway counts requests to its own services alone',
    file: 'packages/server/src/gateways/bound-frames.ts',
    text: 'const own = all.filter(({ run_id }) => reach.has(run_id));',
    instead: 'const own = all;',
    story: LIES,
  },
  {
    name: 'a gateway books the use of its own models alone',
    file: 'packages/server/src/gateways/own-uses.ts',
    text: 'const own = sent.filter((use) => served(use));',
    instead: 'const own = sent.filter((use) => served(use) || true);',
    story: LIES,
  },
  {
    name: 'a gateway books to members of the project alone',
    file: 'packages/server/src/gateways/own-uses.ts',
    text: "if (user.globalRole !== 'admin' && !members.get(project.id)?.has(user.id)) return [];",
    instead: '',
    story: LIES,
  },
  {
    name: 'a gateway reaches its own replicas alone',
    file: 'packages/server/src/gateways/bound-frames.ts',
    text: 'if (known?.hostId === frame.host_id && known.port === frame.port) return',
    instead: 'if (known !== undefined) return',
    story: LIES,
  },
  {
    name: 'a batch that a gateway repeats counts once',
    file: 'packages/store/src/gateways/deliveries.ts',
    text: "        .where('gateway_deliveries.batch', '!=', batch),",
    instead: '',
    story: LIES,
  },
  {
    name: 'an agent reports about the jobs of its host alone',
    file: 'packages/server/src/hosts/job-streams.ts',
    text: 'return known.hostId === hostId ? known.stream : null;',
    instead: 'return known.stream;',
    story: LIES,
  },
  {
    name: 'a report that is older than the stored one changes nothing',
    file: 'packages/store/src/jobs/reports.ts',
    text: "        .whereRef('job_reports.seq', '<', 'excluded.seq'),",
    instead: '',
    story: LIES,
  },
  {
    name: 'a machine that ends is entered in the ledger',
    file: 'packages/core/src/instances/move.ts',
    text: '  if (isEnd) draft.pay(instanceInterval(instance, draft.now));',
    instead: '  instanceInterval(instance, draft.now);',
    story: LEDGER,
  },
  {
    name: 'a job that leaves its machine is entered in the ledger',
    file: 'packages/core/src/reconcile/job/release-job.ts',
    text: 'if (instance !== null) draft.pay(jobInterval(',
    instead: 'if (instance !== null) void (jobInterval(',
    story: LEDGER,
  },
  {
    name: 'jobs leave a fleet before its window of maintenance',
    file: 'packages/core/src/reconcile/job/drains.ts',
    text: '  if (!use || window === null) return null;',
    instead: '  if (!use || window === null || window.startsAt > 0) return null;',
    story: WINDOWS,
  },
  {
    name: 'a kept dependency hides no other that cannot come true',
    file: 'packages/core/src/reconcile/run/dependencies.ts',
    text: '    endIfUnmet(pass, endingOf(pass));\n',
    instead: '    endingOf(pass);\n',
    story: MANY_ARRAYS,
  },
  {
    name: 'jobs pay for their own blocks of a machine alone',
    file: 'packages/core/src/pricing/intervals.ts',
    text: '    blocks,\n    since: Math.max(',
    instead: '    blocks: instance.totalBlocks ?? 1,\n    since: Math.max(',
    story: LEDGER,
  },
  {
    name: 'a job costs nothing after the end of its machine',
    file: 'packages/core/src/pricing/intervals.ts',
    text: '    until: Math.min(until, instance.finishedAt ?? until),',
    instead: '    until,',
    story: { steps: 60, faults: { holdRuns: 6 } },
  },
];
