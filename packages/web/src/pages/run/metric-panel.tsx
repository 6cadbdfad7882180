import { lazy, Suspense } from 'react';
import { type ChartData, seriesSummary } from '../../domain/metrics/job-charts.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import { ScrollRegion } from '../../ui/panel/scroll-region.tsx';
import { absoluteTime } from '../../ui/time/format-time.ts';
import styles from './metrics.module.css';

/** The drawing library is loaded after the page is shown. */
const LineChart = lazy(() =>
  import('../../ui/chart/line-chart.tsx').then((module) => ({ default: module.LineChart })),
);

interface MetricPanelProps {
  readonly chart: ChartData;
  readonly marks: readonly number[];
  readonly syncKey: string;
}

/** A chart, its values in words, and its values as a table. */
export function MetricPanel({ chart, marks, syncKey }: MetricPanelProps) {
  return (
    <Panel title={chart.title}>
      <div className={styles.chart}>
        <Suspense>
          <LineChart {...chart} marks={marks} syncKey={syncKey} />
        </Suspense>
      </div>
      <p className="visually-hidden">
        {chart.series
          .map((series) => `${series.label}: ${seriesSummary(series, chart.format)}`)
          .join('; ')}
      </p>
      <details className={styles.details}>
        <summary>Values</summary>
        <ValueTable chart={chart} />
      </details>
    </Panel>
  );
}

/** More rows than these are thinned out evenly. */
const ROWS = 60;

function ValueTable({ chart }: { readonly chart: ChartData }) {
  const step = Math.max(1, Math.ceil(chart.times.length / ROWS));
  const shown = chart.times
    .map((time, index) => ({ time, index }))
    .filter((_, i) => i % step === 0);
  return (
    <ScrollRegion label={`Values of ${chart.title}`} className={styles.values}>
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {chart.series.map(({ label }) => (
              <th key={label} scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.toReversed().map(({ time, index }) => (
            <tr key={time}>
              <td>{absoluteTime(time * 1000)}</td>
              {chart.series.map(({ label, values }) => {
                const value = values[index];
                return <td key={label}>{value == null ? '–' : chart.format(value)}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  );
}
