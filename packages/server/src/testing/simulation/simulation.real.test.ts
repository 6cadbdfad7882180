import { errorMessage } from '@dstack/contract/error-message';
import { expect, it } from 'vitest';
import { simulate } from './simulation.ts';
import { STORIES, type Story } from './stories.ts';

/** Real time for stories; `SIM_SECONDS` and `SIM_SEED` (replays one story) change it. */
const SECONDS = Number(process.env.SIM_SECONDS ?? 60);
const STEPS = Number(process.env.SIM_STEPS ?? 100);
const SEED = process.env.SIM_SEED;

/** For hangs only: on a busy computer the last story may take minutes. */
const PATIENCE_MS = 600_000;

/** The first line of a failure names the story: the last lines of a log show little more. */
async function tell(seed: number, options: Story['options'] = {}, part = 1): Promise<void> {
  try {
    const { submissions, checks } = await simulate({ seed, steps: STEPS * part, ...options });
    // In few steps a user may submit nothing.
    if (part === 1) expect(submissions).toBeGreaterThan(0);
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

it.each(STORIES)(
  '$name',
  async ({ part = 1, options }) => {
    const seed = SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
    console.log(`SIM_SEED=${seed} SIM_STEPS=${STEPS}`);
    await tell(seed, options, part);
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
