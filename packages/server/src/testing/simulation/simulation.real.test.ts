import { errorMessage } from '@dstack/contract/error-message';
import { expect, it } from 'vitest';
import { type SimulationOptions, simulate } from './simulation.ts';

/** Real time for stories; `SIM_SECONDS` and `SIM_SEED` (replays one story) change it. */
const SECONDS = Number(process.env.SIM_SECONDS ?? 60);
const STEPS = Number(process.env.SIM_STEPS ?? 100);
const SEED = process.env.SIM_SEED;

/** For hangs only: on a busy computer the last story may take minutes. */
const PATIENCE_MS = 600_000;

/** The first line of a failure names the story: the last lines of a log show little more. */
async function tell(
  seed: number,
  faults: SimulationOptions['faults'] = {},
  more: Partial<
    Pick<SimulationOptions, 'steps' | 'hasOwnClock' | 'retention' | 'neverReady' | 'isCrowd'>
  > = {},
): Promise<void> {
  try {
    const { submissions, checks } = await simulate({ seed, steps: STEPS, faults, ...more });
    // In few steps a user may submit nothing.
    if (more.steps === undefined) expect(submissions).toBeGreaterThan(0);
    expect(checks).toBeGreaterThan(0);
  } catch (error) {
    const story = `SIM_SEED=${seed} SIM_STEPS=${STEPS}`;
    throw new Error(`${story}: ${errorMessage(error)}`, { cause: error });
  }
}

it(
  'whatever servers, hosts, clouds and users do, the invariants hold',
  async () => {
    const clock = process.hrtime.bigint;
    const until = clock() + BigInt(SECONDS) * 1_000_000_000n;
    let seed = SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
    let stories = 0;
    do {
      // Printed first, so that a story that hangs can be repeated too.
      console.log(`SIM_SEED=${seed} SIM_STEPS=${STEPS}`);
      await tell(seed);
      stories += 1;
      seed += 1;
    } while (SEED === undefined && clock() < until);
    console.log(`${stories} stories`);
  },
  SECONDS * 1000 + PATIENCE_MS,
);

it(
  'no run fails for a container engine that hangs',
  async () => {
    const seed = SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
    console.log(`SIM_SEED=${seed} SIM_STEPS=${STEPS}`);
    const often = { hangDaemon: 4, reviveDaemon: 2, removeContainer: 1, restartDaemon: 1 };
    await tell(seed, { ...often, crash: 0, nothing: 4 });
  },
  PATIENCE_MS,
);

it(
  'no job is given up by a server that can open no connection for a long time',
  async () => {
    const seed = SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
    console.log(`SIM_SEED=${seed} SIM_STEPS=${STEPS}`);
    // Jobs must run first, and nothing else may end them within the tolerance of their hosts.
    const rare = { breakLink: 0.2, failHost: 0, hangDaemon: 0, restartDaemon: 0 };
    const never = { removeContainer: 0, crash: 0, interrupt: 0, vanish: 0 };
    await tell(seed, { ...rare, ...never, exhaust: 0.6, refill: 0.3 });
  },
  PATIENCE_MS,
);

it(
  'old runs are deleted while everything else goes on, and nothing of them is left',
  async () => {
    const seed = SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
    console.log(`SIM_SEED=${seed} SIM_STEPS=${STEPS}`);
    await tell(seed, {}, { retention: true });
  },
  PATIENCE_MS,
);

it(
  'nothing ends for want of an answer that came while servers were stopped',
  async () => {
    const seed = SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
    console.log(`SIM_SEED=${seed} SIM_STEPS=${STEPS}`);
    await tell(seed, { suspend: 3, resume: 1.5, crash: 0.2 });
  },
  PATIENCE_MS,
);

it(
  'nothing ends for want of an answer that came while no server worked for hours',
  async () => {
    const seed = SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
    console.log(`SIM_SEED=${seed} SIM_STEPS=${STEPS}`);
    await tell(seed, { outage: 1.5, crash: 0.2 }, { steps: STEPS / 2 });
  },
  PATIENCE_MS,
);

it(
  'servers that restart every few minutes give up what does not answer',
  async () => {
    const seed = SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
    console.log(`SIM_SEED=${seed} SIM_STEPS=${STEPS}`);
    const more = { steps: STEPS / 6, neverReady: 0.8 };
    await tell(seed, { restarts: 2, crash: 0, outage: 0 }, more);
  },
  PATIENCE_MS,
);

it(
  'a crowd that fights for few hosts gets what it is guaranteed, in its order, and no limit is exceeded',
  async () => {
    const seed = SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
    console.log(`SIM_SEED=${seed} SIM_STEPS=${STEPS}`);
    // Few faults, or there are seldom hosts to fight for.
    const rare = { breakLink: 0.1, failHost: 0.05, hangDaemon: 0.05, restartDaemon: 0.05 };
    const more = { restoreHost: 3, repairHost: 2, removeContainer: 0.05, exhaust: 0.05, outage: 0 };
    await tell(seed, { ...rare, ...more }, { isCrowd: true });
  },
  PATIENCE_MS,
);

it(
  'a server on SQLite ends nothing because its clock is set or it was stopped',
  async () => {
    const seed = SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
    console.log(`SIM_SEED=${seed} SIM_STEPS=${STEPS}`);
    await tell(seed, { suspend: 1, resume: 2, outage: 0 }, { hasOwnClock: true });
  },
  PATIENCE_MS,
);

it(
  'the same seed gives the same story, to the last microsecond',
  async () => {
    const story = async () => {
      const lines: string[] = [];
      const result = await simulate({ seed: 7, steps: 15, onStep: (line) => lines.push(line) });
      return { lines, result };
    };
    expect(await story()).toEqual(await story());
  },
  PATIENCE_MS,
);
