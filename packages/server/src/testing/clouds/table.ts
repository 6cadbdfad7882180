/**
 * Each fault at each step of a machine's life: a run on a machine of a cloud has to be done in the end, and no
 * machine may be left over, or have been made twice for one order.
 */
import { CloudStory } from './cloud-story.ts';
import { FAULTS, type Fault, LATE_SECONDS } from './faults.ts';
import type { CloudName } from './simulated-clouds.ts';
import { STEPS, type Step } from './steps.ts';

export interface Cell {
  readonly fault: string;
  readonly step: string;
  /** Machines of ours that exist at the end, and orders for which there were several. */
  readonly left: number;
  readonly double: number;
  /** The status of the run; null = the story never reached the step. */
  readonly run: string | null;
  /** Machines of others that were ended. */
  readonly lostOfOthers: number;
  /** Simulated seconds until everything was over. */
  readonly seconds: number;
}

const BOOT_SECONDS = 40;
const JOB_SECONDS = 20;
const IDLE_SECONDS = 30;
const DELETE_SECONDS = 5;
/** A machine that never boots is given up after its own limit, and the run tries again. */
const LONGEST_SECONDS = 7200;
const LOOK_SECONDS = 2;

export function cells(): readonly (readonly [Fault, Step])[] {
  return FAULTS.flatMap(
    (fault) =>
      STEPS.flatMap((step) => (fits(fault, step) ? [[fault, step]] : [])) as [Fault, Step][],
  );
}

function fits({ of }: Fault, { hasInstance }: Step): boolean {
  if (of === 'a machine') return hasInstance;
  return of !== 'the next machine' || !hasInstance;
}

export interface OutcomeOptions {
  readonly cloud: CloudName;
  readonly seed: number;
}

export async function outcomeOf(fault: Fault, step: Step, options: OutcomeOptions): Promise<Cell> {
  const hasWrongClock = fault.hasWrongClock ?? false;
  const story = await CloudStory.begin({ ...options, hasWrongClock });
  try {
    return await outcomeIn(story, fault, step);
  } finally {
    await story.close();
  }
}

async function outcomeIn(story: CloudStory, fault: Fault, step: Step): Promise<Cell> {
  const { account, world, clock } = story;
  account.faults.bootSeconds = [BOOT_SECONDS, BOOT_SECONDS];
  account.faults.deleteSeconds = DELETE_SECONDS;
  account.faults.eventualSeconds = LATE_SECONDS;
  await story.applyFleet(1, IDLE_SECONDS);
  let struck = false;
  const strike = () => {
    struck = true;
    fault.strike(story);
    const { heal, lasts = 60 } = fault;
    if (heal) clock.as(null, () => clock.after(lasts * 1_000_000, () => heal(story)));
  };
  step.at(story, () => clock.as(null, strike));
  const resources = { cpu: '2..', memory: '1GB..', disk: null };
  const commands = [`sim ${JOB_SECONDS} exit 0 mounts 0`];
  const begun = clock.now;
  await story.submit('task', { commands, resources, retry: true });
  const isOver = async () => (await story.allFinished()) && (await story.isQuiet());
  await story.until(isOver, LONGEST_SECONDS, LOOK_SECONDS);
  const [run] = await story.runs();
  return {
    ...{ fault: fault.name, step: step.name },
    ...{ left: world.alive.length, double: world.doubles.length },
    run: struck ? (run?.status ?? 'missing') : null,
    lostOfOthers: world.lostOfOthers,
    seconds: Math.round((clock.now - begun) / 1_000_000),
  };
}

/** Returns a Markdown table: each cell has the machines left over and double. */
export function tableText(outcomes: readonly Cell[]): string {
  const of = (fault: string, step: string) => {
    const cell = outcomes.find((one) => one.fault === fault && one.step === step);
    if (!cell) return '·';
    const state = cell.run === 'done' ? '' : ` ${cell.run ?? 'not reached'}`;
    return `${cell.left}/${cell.double}${state}`;
  };
  const steps = STEPS.map(({ name }) => name);
  const rows = FAULTS.map(({ name }) => [name, ...steps.map((step) => of(name, step))]);
  const line = (parts: readonly string[]) => `| ${parts.join(' | ')} |`;
  return [
    line(['fault', ...steps]),
    line(['fault', ...steps].map(() => '---')),
    ...rows.map(line),
  ].join('\n');
}
