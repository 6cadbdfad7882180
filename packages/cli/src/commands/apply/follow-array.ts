/** An array is followed by the number of its members: their output would be mixed. */
import { isRunFinished } from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';
import type { Cli, Connection } from '../../context.ts';
import { rollupText } from '../../runs/array-text.ts';
import { StartProgress } from '../../runs/start-progress.ts';
import { watchUntil } from '../../runs/watch-until.ts';

/** Numbers of thousands of members change all the time. */
const PACE_MS = 2000;

export async function followArray(
  name: string,
  json: boolean,
  connection: Connection,
  signal: AbortSignal,
  cli: Cli,
): Promise<Run> {
  const progress = new StartProgress(cli, { json });
  const paced = new Paced((run) => progress.show(run, null));
  const { io } = cli;
  let ended: Run;
  try {
    const isOver = (run: Run) => isRunFinished(run.status);
    ended = await watchUntil(connection, name, signal, isOver, (run) => paced.show(run));
  } finally {
    paced.stop();
    progress.stop();
  }
  io.info(`Array ${io.paintErr('code', name)} has ended: ${rollupText(ended) ?? ended.status}`);
  if ((ended.array?.members.failed ?? 0) > 0) {
    io.info(`Which ones: dstack ps --members ${name}. Again: dstack rerun --failed ${name}`);
  }
  return ended;
}

/** Shows the first state at once, and of later ones the newest now and then. */
class Paced {
  readonly #show: (run: Run) => void;
  #newest: Run | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(show: (run: Run) => void) {
    this.#show = show;
  }

  show(run: Run): void {
    this.#newest = run;
    if (this.#timer === undefined) this.#next();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #next(): void {
    this.#timer = undefined;
    if (this.#newest === null) return;
    this.#show(this.#newest);
    this.#newest = null;
    this.#timer = setTimeout(() => this.#next(), PACE_MS);
  }
}
