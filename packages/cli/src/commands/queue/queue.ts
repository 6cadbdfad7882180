import type { QueuedRun, RunQueue } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { durationInUnits } from '../../format/time.ts';
import { integerOption } from '../../options.ts';
import { showList } from '../../output/listing.ts';
import { addListOptions, type ListOptions, listOptions } from '../../output/output-options.ts';
import { startText } from '../../runs/start-text.ts';
import { renderTable, type TableRow } from '../../terminal/table.ts';

export interface QueueOptions extends ListOptions {
  readonly last: number;
}

const RUNS = 100;
const MOST = 1000;

export function declareQueue(program: Command, cli: Cli, run: typeof runQueue = runQueue): void {
  addListOptions(
    program
      .command('queue')
      .description('Show the runs that wait, in their order, and when they are expected to start'),
  )
    .option('-n, --last <n>', `show the first N runs (up to ${MOST})`, integerOption(1, MOST), RUNS)
    .action((o) => run({ last: o.last, ...listOptions(o) }, cli));
}

export async function runQueue(options: QueueOptions, cli: Cli): Promise<void> {
  const { project } = await cli.connect();
  let rest: Omit<RunQueue, 'runs'> = { total: 0, kept_back: [], kept_back_total: 0 };
  const load = async (): Promise<readonly QueuedRun[]> => {
    const { runs, ...others }: RunQueue = await project.queue(options.last);
    rest = others;
    return runs;
  };
  const listing = {
    key: 'runs',
    load,
    name: ({ run }: QueuedRun) => run,
    table: (runs: readonly QueuedRun[], verbose: boolean) =>
      queueTable(runs, rest.total, verbose, cli),
    get document() {
      return rest;
    },
    empty: `No run waits for capacity that project ${project.name} can use.`,
  };
  await showList(listing, options, cli);
}

function queueTable(runs: readonly QueuedRun[], total: number, verbose: boolean, cli: Cli): string {
  const now = cli.now();
  const columns = [
    { header: 'PLACE', keep: true },
    { header: 'RUN', keep: true },
    { header: 'PROJECT', optional: 2 },
    { header: 'USER', optional: 3 },
    { header: 'NODES', optional: 4 },
    { header: 'PRIORITY', optional: 5 },
    { header: 'WAITING', optional: 1 },
    { header: 'EXPECTED START', keep: true },
    ...(verbose ? [{ header: 'WHY', below: 24 }] : []),
  ];
  const rows = runs.map(
    (one): TableRow => [
      String(one.place),
      { text: nameOf(one), style: one.project === null ? 'secondary' : 'bold' },
      one.project ?? '-',
      one.user ?? '-',
      one.nodes === null ? '-' : String(one.nodes),
      one.priority === null ? '-' : String(one.priority),
      one.since === null ? '-' : durationInUnits(Math.max(0, (now - Date.parse(one.since)) / 1000)),
      startText(one, now),
      ...(verbose ? [one.why ?? '-'] : []),
    ],
  );
  const layout = { width: cli.io.width, paint: cli.io.paint };
  const text = renderTable(columns, rows, layout);
  const more = total - runs.length;
  if (more <= 0) return text;
  return `${text.trimEnd()}\n ${layout.paint('secondary', `and ${more} more (-n)`)}\n`;
}

const nameOf = ({ run, replica }: QueuedRun): string =>
  replica === null ? run : `${run} (replica ${replica})`;
