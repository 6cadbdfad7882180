import { lazy, Suspense } from 'react';
import { HeatStrip } from '../../ui/chart/heat-strip.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { ScrollRegion } from '../../ui/panel/scroll-region.tsx';
import { absoluteTime } from '../../ui/time/format-time.ts';
import type { ChartData } from './chart-data.ts';
import { heatRows } from './heat-rows.ts';
import { GPU_USE, seriesSummary } from './job-charts.ts';
import styles from './metrics.module.css';
import type { NodeCharts } from './node-charts.ts';

/** The drawing library is loaded after the page is shown. */
const LineChart = lazy(() =>
  import('../../ui/chart/line-chart.tsx').then((module) => ({ default: module.LineChart })),
);

interface MetricPanelProps {
  readonly chart: ChartData;
  readonly marks: readonly number[];
  readonly syncKey: string;
  /** Seconds that are shown at least; null: those of the values. */
  readonly span?: number | null;
}

/** A chart, its values in words, and its values as a table. */
export function MetricPanel({ chart, marks, syncKey, span = null }: MetricPanelProps) {
  const { capacity, format } = chart;
  return (
    <Panel
      title={chart.title}
      actions={
        capacity == null ? null : <span className={styles.capacity}>of {format(capacity)}</span>
      }
    >
      <div className={styles.chart}>
        <Suspense>
          <LineChart {...chart} marks={marks} syncKey={syncKey} span={span} />
        </Suspense>
      </div>
      {chart.title === GPU_USE && chart.series.length > 1 && chart.bands === undefined ? (
        <HeatStrip label="Use of each GPU" rows={heatRows(chart)} />
      ) : null}
      <Summary chart={chart} />
      <details className={styles.details}>
        <summary>Values</summary>
        <ValueTable chart={chart} />
      </details>
    </Panel>
  );
}

interface NodePanelProps {
  readonly measure: NodeCharts;
  readonly marks: readonly number[];
  readonly syncKey: string;
  /** Seconds that are shown at least; null: those of the values. */
  readonly span?: number | null;
}

/** One measure of several jobs, each in a small chart, with the same axes and one cursor for all. */
export function NodePanel({ measure, marks, syncKey, span = null }: NodePanelProps) {
  return (
    <Panel title={measure.title}>
      <ul className={styles.nodes}>
        {measure.charts.map((chart) => (
          <li key={chart.job} className={styles.node}>
            <h3 className={styles.nodeName}>
              <bdi>{chart.job}</bdi>
            </h3>
            <Suspense>
              <LineChart {...chart} marks={marks} syncKey={syncKey} span={span} small />
            </Suspense>
            <Summary chart={chart} />
          </li>
        ))}
      </ul>
      <details className={styles.details}>
        <summary>Values</summary>
        {measure.charts.map((chart) => (
          <ValueTable key={chart.job} chart={chart} />
        ))}
      </details>
    </Panel>
  );
}

/** For readers who do not see the chart. */
function Summary({ chart }: { readonly chart: ChartData }) {
  return (
    <p className="visually-hidden">
      {chart.series
        .map((series) => `${series.label}: ${seriesSummary(series, chart.format)}`)
        .join('; ')}
    </p>
  );
}

/** More rows than these are thinned out evenly. */
const ROWS = 60;

function ValueTable({ chart }: { readonly chart: ChartData }) {
  const step = Math.max(1, Math.ceil(chart.times.length / ROWS));
  const shown = chart.times
    .map((time, index) => ({ time, index }))
    .filter((_, i) => i % step === 0);
  const name = ['Values of', chart.job, chart.title].filter(Boolean).join(' ');
  return (
    <ScrollRegion label={name} className={styles.values}>
      <table>
        {chart.job === undefined ? null : (
          <caption className={styles.caption}>
            <bdi>{chart.job}</bdi>
          </caption>
        )}
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
              <td>{chart.timeText?.(time) ?? absoluteTime(time * 1000)}</td>
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
