import type { Share } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { showList } from '../../output/listing.ts';
import { addListOptions, type ListOptions, listOptions } from '../../output/output-options.ts';
import { renderTable, type TableRow } from '../../terminal/table.ts';

export function declareShare(program: Command, cli: Cli, run: typeof runShare = runShare): void {
  addListOptions(
    program
      .command('share')
      .description(
        'Show what projects and users have used of what they share, those first who are placed first',
      ),
  ).action((o) => run(listOptions(o), cli));
}

export async function runShare(options: ListOptions, cli: Cli): Promise<void> {
  const { project } = await cli.connect();
  const listing = {
    key: 'shares',
    load: () => project.shares(),
    name: nameOf,
    table: (shares: readonly Share[]) => shareTable(shares, cli),
    empty:
      'Nothing is shared by weight: runs are placed by priority and age (dstack quota set --weight)',
  };
  await showList(listing, options, cli);
}

const nameOf = ({ project_name, user_name }: Share): string =>
  user_name === null ? (project_name ?? OTHER) : `${project_name}/${user_name}`;

/** A project that the caller may not see. */
const OTHER = 'another project';

function shareTable(shares: readonly Share[], cli: Cli): string {
  const columns = [
    { header: 'PROJECT', keep: true },
    { header: 'USER', keep: true },
    { header: 'WEIGHT', optional: 2 },
    { header: 'GPU HOURS', optional: 1 },
    { header: 'NOW', optional: 3 },
    { header: 'RATIO', keep: true },
    { header: 'NEXT RUN' },
  ];
  const rows = shares.map(
    (one): TableRow => [
      {
        text: one.project_name ?? OTHER,
        style: one.user_name === null && one.project_name !== null ? 'bold' : 'secondary',
      },
      one.user_name ?? '-',
      String(one.weight),
      amount(one.usage),
      amount(one.rate),
      amount(one.ratio),
      one.next ?? '-',
    ],
  );
  return renderTable(columns, rows, { width: cli.io.width, paint: cli.io.paint });
}

/** Two digits, as many as are needed to see a small one. */
const amount = (value: number): string =>
  value > 0 && value < 0.01 ? '<0.01' : value.toFixed(value < 100 ? 2 : 0);
