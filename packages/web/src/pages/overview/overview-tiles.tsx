import { costText, isPartialCost, totalCostText } from '@dstack/contract/cost-text';
import type { CostReport, Overview } from '@dstack/contract/wire';
import { count, money } from '../../domain/format/quantities.ts';
import styles from './overview.module.css';
import { overviewFigures } from './overview-figures.ts';

interface OverviewTilesProps {
  readonly overview: Overview | undefined;
  /** The cost of the last seven days, by day. */
  readonly cost: CostReport | undefined;
}

/** The figures at the top; dashes keep their place until they are there. */
export function OverviewTiles({ overview, cost }: OverviewTilesProps) {
  const figures = overview && overviewFigures(overview);
  return (
    <dl className={styles.tiles}>
      <Tile
        label="Active runs"
        value={figures && count(figures.active)}
        note={figures?.activeNote}
      />
      <Tile label="GPUs in use" value={figures?.gpus} note={figures?.gpusNote} />
      <Tile label="Instances in use" value={figures?.instances} note={figures?.instancesNote} />
      <Tile label="Price of all instances" value={figures?.price} note={figures?.priceNote} />
      <Tile
        label="Cost in the last 7 days"
        value={cost && totalCostText(cost, money)}
        note={cost && `${costOn(cost, cost.until.slice(0, 10))} today`}
      />
    </dl>
  );
}

/** `day`: `YYYY-MM-DD`. */
function costOn({ rows }: CostReport, day: string): string {
  const row = rows.find((one) => one.day === day);
  return row === undefined ? money(0) : costText(row.cost, isPartialCost(row), money);
}

interface TileProps {
  readonly label: string;
  readonly value: string | undefined;
  readonly note: string | undefined;
}

function Tile({ label, value, note }: TileProps) {
  return (
    <div className={styles.tile}>
      <dt className={styles.label}>{label}</dt>
      <dd className={styles.value}>{value ?? '–'}</dd>
      <dd className={styles.note}>{note ?? ' '}</dd>
    </div>
  );
}
