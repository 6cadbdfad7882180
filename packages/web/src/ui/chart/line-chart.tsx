import './uplot.css';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import { readingAt, timeRange } from './chart-reading.ts';
import styles from './line-chart.module.css';
import { useThemeVersion } from './theme-version.ts';

export interface LineChartProps {
  /** Seconds since 1970, rising, or what `timeText` shows. */
  readonly times: readonly number[];
  /** Shows times that are not those of a day. */
  readonly timeText?: (seconds: number) => string;
  readonly series: readonly {
    readonly label: string;
    readonly values: readonly (number | null)[];
  }[];
  readonly max: number | null;
  /** The unit of the values; bytes get marks that are round in binary. */
  readonly unit: '%' | 'bytes';
  readonly format: (value: number) => string;
  /** Charts with the same key share the cursor and the zoom. */
  readonly syncKey: string;
  /** Vertical lines: seconds since 1970. */
  readonly marks: readonly number[];
  /** Lines, and those between which the chart is filled around each, by their places in `series`. */
  readonly bands?: readonly {
    readonly line: number;
    readonly high: number;
    readonly low: number;
  }[];
  /** One of many beside each other. */
  readonly small?: boolean;
  /** Seconds that the axis shows at least, up to the last value; null: those of the values. */
  readonly span?: number | null;
}

const HEIGHT = 190;
const SMALL_HEIGHT = 110;

/** Lines over time on a canvas. Its values must also be available as text beside it. */
export function LineChart(props: LineChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const latest = useRef(props);
  const theme = useThemeVersion();
  const shape = props.series.map(({ label }) => label).join('\n');
  const data = [props.times, ...props.series.map(({ values }) => values)] as uPlot.AlignedData;

  // The canvas is drawn by a library; colours are read when it is made.
  // biome-ignore lint/correctness/useExhaustiveDependencies: data follow below without a new canvas
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    latest.current = props;
    const made = new uPlot(optionsOf(element, latest), data, element);
    chart.current = made;
    const observer = new ResizeObserver(() =>
      made.setSize({ width: element.clientWidth, height: heightOf(latest.current) }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      chart.current = null;
    };
  }, [shape, theme, props.syncKey, props.max, props.span]);

  useEffect(() => {
    latest.current = props;
    chart.current?.setData(data);
    // Without a cursor the legend shows the latest values.
    if (chart.current?.cursor.idx == null) chart.current?.setLegend({}, false);
  });
  return <div ref={place} className={styles.chart} data-small={props.small} aria-hidden="true" />;
}

const heightOf = ({ small }: LineChartProps) => (small ? SMALL_HEIGHT : HEIGHT);

const COLORS = [
  '--accent',
  '--tone-running-solid',
  '--tone-warning-solid',
  '--tone-failed-solid',
  '--tone-starting-solid',
  '--ansi-5',
  '--ansi-6',
  '--tone-stopped-solid',
];

/** The colour that fills a band: that of its line, mostly transparent. */
const bandColor = (line: string): string => `color-mix(in oklch, ${line} 20%, transparent)`;

function optionsOf(
  element: HTMLElement,
  latest: { readonly current: LineChartProps },
): uPlot.Options {
  const { series, max, unit, syncKey, bands = [], timeText } = latest.current;
  const color = colorReader(element);
  const edgeOf = new Map(
    bands.flatMap(({ line, high, low }) => [high, low].map((at) => [at, line])),
  );
  const lines = series.flatMap((_, index) => (edgeOf.has(index) ? [] : index));
  const colorOf = (index: number): string => {
    const place = lines.indexOf(edgeOf.get(index) ?? index);
    return `var(${COLORS[place % COLORS.length] ?? '--accent'})`;
  };
  const axis = {
    stroke: color('var(--text-faint)'),
    grid: { stroke: color('var(--border)'), width: 1 },
    ticks: { show: false },
    font: '11px "Inter Variable", sans-serif',
  };
  // A time with seconds needs more room than the library's 50 px.
  const timeAxis = { ...axis, size: 28, space: 70 };
  const format = (value: number | null) => (value == null ? '–' : latest.current.format(value));
  return {
    width: element.clientWidth,
    height: heightOf(latest.current),
    // The last label of the time axis needs half of its width on the right.
    padding: [8, 24, 0, 0],
    cursor: { sync: { key: syncKey }, points: { size: 6 }, y: false },
    legend: { live: true },
    scales: {
      x: {
        time: timeText === undefined,
        range: (_chart, low, high) =>
          timeRange(latest.current.times, [low, high], latest.current.span ?? null),
      },
      y: { range: (_chart, _low, high) => [0, max ?? (high || 1) * 1.1] },
    },
    bands: bands.map(({ line, high, low }) => ({
      series: [high + 1, low + 1],
      fill: color(bandColor(colorOf(line))),
    })),
    axes: [
      timeText === undefined
        ? { ...timeAxis, values: (_chart, ticks) => timeLabels(ticks) }
        : { ...timeAxis, incrs: STEPS, values: (_chart, ticks) => ticks.map(timeText) },
      {
        ...axis,
        size: 62,
        ...(unit === 'bytes' && { incrs: BINARY_STEPS }),
        values: (_chart, ticks) => ticks.map(format),
      },
    ],
    series: [
      {
        label: 'Time',
        value: (_chart, _time, _series, index) => {
          const time = readingAt(latest.current.times, index);
          return time === null ? '–' : (timeText?.(time) ?? CLOCK.format(time * 1000));
        },
      },
      ...series.map(({ label }, index) => ({
        label,
        // Beside other lines, the values of edges would be the greater part of the legend.
        ...(edgeOf.has(index) && lines.length > 1 && { class: styles.edge ?? '' }),
        // The edges of a band are what the filled area ends with.
        stroke: color(edgeOf.has(index) ? bandColor(colorOf(index)) : colorOf(index)),
        width: edgeOf.has(index) ? 1 : 1.5,
        points: { show: false },
        value: (_chart: uPlot, _value: number | null, _series: number, at: number | null) =>
          format(readingAt(latest.current.series[index]?.values ?? [], at)),
      })),
    ],
    hooks: {
      drawClear: [
        (chart) => {
          const { ctx, bbox } = chart;
          ctx.save();
          ctx.strokeStyle = color('var(--border-strong)');
          ctx.setLineDash([3, 3]);
          for (const mark of latest.current.marks) {
            const x = chart.valToPos(mark, 'x', true);
            if (x < bbox.left || x > bbox.left + bbox.width) continue;
            ctx.beginPath();
            ctx.moveTo(x, bbox.top);
            ctx.lineTo(x, bbox.top + bbox.height);
            ctx.stroke();
          }
          ctx.restore();
        },
      ],
    },
  };
}

const CLOCK = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const MINUTES = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' });
const DAYS = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const DAY_SECONDS = 86_400;

/** Between two ticks of times since a start, in seconds. */
const STEPS = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21_600, 43_200, DAY_SECONDS];

/** Between two ticks of bytes: the powers of two up to 1 PiB. */
const BINARY_STEPS = Array.from({ length: 51 }, (_, power) => 2 ** power);

/** Hours and minutes, or days where the ticks are days apart; seconds where they are that close. */
function timeLabels(ticks: readonly number[]): string[] {
  const step = (ticks[1] ?? DAY_SECONDS) - (ticks[0] ?? 0);
  const format = step >= DAY_SECONDS ? DAYS : step < 60 ? CLOCK : MINUTES;
  return ticks.map((tick) => format.format(tick * 1000));
}

/** Resolves colours to what a canvas understands; tokens and `light-dark()` are resolved by the browser. */
function colorReader(element: HTMLElement): (written: string) => string {
  const known = new Map<string, string>();
  return (written) => {
    const read = known.get(written) ?? resolvedColor(element, written);
    known.set(written, read);
    return read;
  };
}

function resolvedColor(element: HTMLElement, written: string): string {
  const probe = document.createElement('span');
  probe.style.color = written;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color || 'gray';
}
