import { readerText } from '@dstack/contract/event-text';
import { plainLine } from '@dstack/contract/plain-text';
import type { Considered, Event, ExplainPart, Explanation } from '@dstack/contract/wire';
import { durationInUnits, utcTime } from '../../format/time.ts';
import { backendWithRegion } from '../../format/values.ts';
import type { Style } from '../../terminal/style.ts';
import {
  renderProperties,
  renderTable,
  type TableLayout,
  type TableRow,
} from '../../terminal/table.ts';
import { hangingText } from '../../terminal/text-width.ts';

export interface ExplanationTextOptions {
  /** ms since the epoch. */
  readonly now: number;
  readonly verbose: boolean;
  readonly layout: TableLayout;
  /** Prefix of values that are paths on the server. */
  readonly serverUrl: string;
}

/** Without `-v`: the maximum number of rows in a table, and of events. */
const ROWS = 12;
const EVENTS = 10;
/** Sentences in fewer columns are hard to read. */
const WHY_WIDTH = 24;

/** An explanation as text. Empty sections are omitted. */
export function explanationText(explanation: Explanation, options: ExplanationTextOptions): string {
  const { layout } = options;
  const sections = [
    renderProperties(facts(explanation, options.now), layout).trimEnd(),
    partsText(explanation, options),
    scalingText(explanation, options),
    consideredText(explanation, options),
    fixesText(explanation, options),
    eventsText(explanation.events, options),
  ];
  return sections.filter((text) => text !== '').join('\n\n');
}

function facts(explanation: Explanation, now: number): (readonly [string, string])[] {
  const { subject, state, summary, since, until, attempt, position, ahead } = explanation;
  const { expected_start: start, is_about } = explanation;
  const { kind, name, status } = subject;
  const title = `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
  const lines: (readonly [string, string] | null)[] = [
    [title, `${name} (${status})`],
    ['State', state.replaceAll('_', ' ')],
    ['Why', summary],
    since === null ? null : ['Since', instant(since, now)],
    until === null ? null : ['Until', instant(until, now)],
    attempt === null ? null : ['Attempt', String(attempt)],
    position === null ? null : ['Position', positionText(position, ahead)],
    start === null ? null : ['Starts', `${is_about ? 'about ' : ''}${instant(start, now)}`],
  ];
  return lines.filter((line) => line !== null);
}

/** The time and its distance from now. */
function instant(at: string, now: number): string {
  const seconds = Math.round((Date.parse(at) - now) / 1000);
  const distance = durationInUnits(Math.abs(seconds));
  const relative = seconds > 0 ? `in ${distance}` : `${distance} ago`;
  return `${utcTime(at, 'second')} (${relative})`;
}

function positionText(position: number, ahead: Explanation['ahead']): string {
  const names = ahead.map(({ run, project, priority, keeps }) => {
    const name = project === null ? run : `${project}/${run}`;
    const detail = [
      ...(priority ? [`priority ${priority}`] : []),
      ...(keeps === null ? [] : [`has the next place in ${keeps}`]),
    ];
    return detail.length === 0 ? name : `${name} (${detail.join(', ')})`;
  });
  return names.length === 0 ? String(position) : `${position}, behind ${names.join(', ')}`;
}

const STATE_STYLES: Readonly<Record<string, Style>> = {
  running: 'good',
  active: 'good',
  idle: 'good',
  busy: 'good',
  failed: 'bad',
  ended: 'secondary',
};

/** Empty if there is only one part: the facts above already describe it. */
function partsText({ subject, parts }: Explanation, options: ExplanationTextOptions): string {
  if (parts.length < (subject.kind === 'fleet' ? 1 : 2)) return '';
  const rows = parts.map(
    (part): TableRow => [
      { text: part.name, style: 'bold' },
      { text: part.state.replaceAll('_', ' '), style: STATE_STYLES[part.state] ?? 'gold' },
      part.attempt === null ? '' : String(part.attempt),
      part.until === null ? '' : utcTime(part.until, 'second'),
      part.text,
    ],
  );
  const columns = [
    { header: headerOf(parts), keep: true },
    { header: 'STATE', keep: true },
    { header: 'ATTEMPT', optional: 2 },
    { header: 'UNTIL', keep: true, optional: 1 },
    { header: 'WHY', below: WHY_WIDTH },
  ];
  return table(columns, rows, options);
}

/** Figures and targets of a service that scales by several figures. */
function scalingText({ reasons }: Explanation, { layout, now }: ExplanationTextOptions): string {
  const lines = reasons
    .filter(({ rule }) => rule === 'scaling')
    .map(({ part, text, until }) => {
      const head = part === null ? '' : `${part}: `;
      const when = until === null ? '' : `; the number changes at ${instant(until, now)}`;
      return `  - ${hangingText(plainLine(`${head}${text}${when}`), 4, layout.width)}`;
    });
  return lines.length === 0 ? '' : [` ${layout.paint('bold', 'SCALING')}`, ...lines].join('\n');
}

const headerOf = ([first]: readonly ExplainPart[]): string =>
  first?.kind === 'instance' ? 'INSTANCE' : 'JOB';

const VERDICTS: Readonly<Record<Considered['verdict'], Style>> = {
  free: 'good',
  full: 'gold',
  never: 'bad',
};

function consideredText({ considered }: Explanation, options: ExplanationTextOptions): string {
  const rows = considered.map(
    (row): TableRow => [
      { text: placeOf(row), style: row.kind === 'fleet' ? 'bold' : 'plain' },
      { text: row.verdict, style: VERDICTS[row.verdict] },
      row.rule ?? '',
      row.text,
    ],
  );
  const columns = [
    { header: 'CONSIDERED', keep: true },
    { header: 'VERDICT', keep: true },
    { header: 'RULE', keep: true, optional: 1 },
    { header: 'WHY', below: WHY_WIDTH },
  ];
  return rows.length === 0 ? '' : table(columns, rows, options);
}

/** Instances and offers are indented below their fleet. */
function placeOf({ kind, fleet, instance, backend, region }: Considered): string {
  if (kind === 'fleet') return fleet ?? '';
  if (kind === 'instance') return `  ${instance ?? '(more)'}`;
  const place = backend === null ? '(no backend)' : backendWithRegion(backend, region);
  return fleet === null ? place : `  ${place}`;
}

function table(
  columns: Parameters<typeof renderTable>[0],
  rows: readonly TableRow[],
  { verbose, layout }: ExplanationTextOptions,
): string {
  const shown = verbose ? rows : rows.slice(0, ROWS);
  const more = rows.length - shown.length;
  const text = renderTable(columns, shown, layout).trimEnd();
  return more > 0 ? `${text}\n ${layout.paint('secondary', `and ${more} more (-v)`)}` : text;
}

function fixesText(
  { fixes }: Explanation,
  { layout: { paint, width }, serverUrl }: ExplanationTextOptions,
): string {
  if (fixes.length === 0) return '';
  const absolute = (value: string) =>
    (value.startsWith('/') ? serverUrl + value : value).split('\n');
  const lines = fixes.flatMap(({ text, value, command }) => [
    `  - ${hangingText(text, 4, width)}`,
    ...(value === null ? [] : absolute(value).map((line) => `      ${line}`)),
    ...(command === null ? [] : [`      ${paint('secondary', '$')} ${paint('code', command)}`]),
  ]);
  return [` ${paint('bold', 'WHAT TO DO')}`, ...lines].join('\n');
}

/** Each event with the time since the previous one. */
function eventsText(events: readonly Event[], { verbose, layout }: ExplanationTextOptions): string {
  if (events.length === 0) return '';
  const shown = verbose ? events : events.slice(-EVENTS);
  let previous: number | null = null;
  const lines = shown.map((event) => {
    const at = Date.parse(event.recorded_at);
    const passed = previous === null ? '' : `+${elapsed(at - previous)}`;
    previous = at;
    const start = `  ${utcTime(event.recorded_at, 'second')}  ${passed.padEnd(8)} `;
    return start + hangingText(plainLine(readerText(event)), start.length, layout.width);
  });
  const earlier = events.length - shown.length;
  const head =
    earlier > 0
      ? `WHAT HAPPENED (the last ${EVENTS} of ${events.length}; -v for all)`
      : 'WHAT HAPPENED';
  return [` ${layout.paint('bold', head)}`, ...lines].join('\n');
}

function elapsed(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)}s` : durationInUnits(ms / 1000);
}
