import { errorMessage } from '@dstack/contract/error-message';
import { expect, it } from 'vitest';
import { simulate } from './simulation.ts';
import { STORIES, type Story } from './stories.ts';

/** `SIM_SEED` replays one story. A red one is the fault of a change: `bench simulate` searches with other seeds. */
const SEED = Number(process.env.SIM_SEED ?? 1);
const ORDINARY = process.env.SIM_SEED === undefined ? 2 : 1;
const STEPS = Number(process.env.SIM_STEPS ?? 60);

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

it.each(Array.from({ length: ORDINARY }, (_, index) => SEED + index))(
  'whatever servers, hosts, clouds and users do, the invariants hold; seed %i',
  (seed) => tell(seed),
  PATIENCE_MS,
);

it.each(STORIES)('$name', ({ part = 1, options }) => tell(SEED, options, part), PATIENCE_MS);

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
