import type { ListEventsQuery } from '@dstack/client';
import type { Event } from '@dstack/contract/wire';
import { type Command, Option } from 'commander';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { sinceOption } from '../../format/since.ts';
import { collect } from '../../options.ts';
import { outlast, reportAway } from '../../outlast.ts';
import { hangingText } from '../../terminal/text-width.ts';
import { eventLine } from './event-line.ts';
import { type EventFilters, resolveFilters } from './filters.ts';

export interface EventListOptions extends EventFilters {
  readonly watch: boolean;
  readonly since: string | null;
  /** Only of exports. */
  readonly until: string | null;
  readonly json: boolean;
}

/** The kinds of targets that events may have in the API. */
export const TARGET_TYPES = [
  'project',
  'user',
  'fleet',
  'instance',
  'run',
  'job',
  'volume',
  'gateway',
  'gateway-replica',
  'preset',
  'secret',
];

const PAGE = 100;

/** Columns before further lines of an event. */
const INDENT = 4;

export function declareEvent(
  program: Command,
  cli: Cli,
  run: typeof runEventList = runEventList,
): void {
  const act = (o: Readonly<Record<string, unknown>>): Promise<void> => run(eventOptions(o), cli);
  const event = withOptions(program.command('event').description('Show what happened'));
  event.action((options) => act(options));
  withOptions(event.command('list').description('List events')).action((_o, command: Command) =>
    act(command.optsWithGlobals()),
  );
  declareExport(event, cli);
}

function declareExport(event: Command, cli: Cli): void {
  const command = event
    .command('export')
    .description('Print all events as JSON, one document a line, oldest first')
    .option('--until <when>', 'only events until then, in the forms of --since')
    .option('--json', 'as without it');
  withFilters(command).action((_o, self: Command) =>
    runEventExport(eventOptions(self.optsWithGlobals()), cli),
  );
}

function withOptions(command: Command): Command {
  return withFilters(command)
    .option('-w, --watch', 'continue with new events')
    .option('--json', 'print one JSON document a line');
}

function withFilters(command: Command): Command {
  const target = (kind: string): Option =>
    new Option(`--target-${kind} <name>`, `events of this ${kind} (repeatable)`).argParser(collect);
  const within = (kind: string): Option =>
    new Option(
      `--within-${kind} <name>`,
      `events of this ${kind} and its parts (repeatable)`,
    ).argParser(collect);
  command.option(
    '--since <when>',
    'only events since then: 90, 15m, 2h, 1d, or a time with offset',
  );
  for (const kind of ['fleet', 'run', 'volume', 'gateway', 'secret'])
    command.addOption(target(kind));
  for (const kind of ['fleet', 'run', 'gateway']) command.addOption(within(kind));
  return command.addOption(
    new Option(
      '--include-target-type <type>',
      `only these kinds: ${TARGET_TYPES.join(', ')}`,
    ).argParser(collect),
  );
}

function eventOptions(o: Readonly<Record<string, unknown>>): EventListOptions {
  const list = (name: string): string[] => (Array.isArray(o[name]) ? o[name].map(String) : []);
  return {
    watch: o.watch === true,
    since: typeof o.since === 'string' ? o.since : null,
    until: typeof o.until === 'string' ? o.until : null,
    json: o.json === true,
    targets: {
      fleet: list('targetFleet'),
      run: list('targetRun'),
      volume: list('targetVolume'),
      gateway: list('targetGateway'),
      secret: list('targetSecret'),
    },
    within: {
      fleet: list('withinFleet'),
      run: list('withinRun'),
      gateway: list('withinGateway'),
    },
    types: list('includeTargetType'),
  };
}

/** All matching events, oldest first, one JSON document a line. */
export async function runEventExport(options: EventListOptions, cli: Cli): Promise<void> {
  checkTypes(options);
  const bound = async (option: 'since' | 'until') => {
    const value = options[option];
    return value === null ? null : await sinceOption(value, cli, `--${option}`);
  };
  const [since, until] = [await bound('since'), await bound('until')];
  const { list } = await source(options, cli);
  const last = until === null ? Number.POSITIVE_INFINITY : Date.parse(until);
  for await (const event of eventsSince(list, since)) {
    if (Date.parse(event.recorded_at) > last) return;
    cli.io.json(event);
  }
}

function checkTypes({ types }: EventListOptions): void {
  const unknown = types.find((type) => !TARGET_TYPES.includes(type));
  if (unknown === undefined) return;
  throw new UsageError(`Unknown target type "${unknown}"`, {
    why: `known: ${TARGET_TYPES.join(', ')}`,
  });
}

export async function runEventList(options: EventListOptions, cli: Cli): Promise<void> {
  checkTypes(options);
  const since = options.since === null ? null : await sinceOption(options.since, cli);
  if (options.watch) return watchEvents(options, since, cli);
  const { list, project } = await source(options, cli);
  const print = printer(options, project, cli);
  if (since === null) {
    const latest = await list({ ascending: false });
    for (const event of latest.reverse()) print(event);
    return;
  }
  for await (const event of eventsSince(list, since)) print(event);
}

type List = (query: ListEventsQuery) => Promise<Event[]>;

interface Source {
  /** Lists a page of the events that match. */
  readonly list: List;
  readonly project: string;
}

async function source(options: EventListOptions, cli: Cli): Promise<Source> {
  const connection = await cli.connect();
  const filters = await resolveFilters(options, connection);
  return {
    list: (query) => connection.client.server.listEvents({ ...filters, limit: PAGE, ...query }),
    project: connection.project.name,
  };
}

function printer({ json }: EventListOptions, project: string, { io }: Cli) {
  return (event: Event): void => {
    if (json) io.json(event);
    else io.print(hangingText(eventLine(event, project, io.paint), INDENT, io.width));
  };
}

/** `since` null: from the first one that is kept. */
async function* eventsSince(list: List, since: string | null): AsyncGenerator<Event, void> {
  let at = since;
  let id: string | null = null;
  for (;;) {
    const page: Event[] = await list({ ascending: true, prev_recorded_at: at, prev_id: id });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    at = last.recorded_at;
    id = last.id;
  }
}

const POLL_MS = 2000;
/** An event becomes visible when its transaction commits, which may be after a younger event. */
const OVERLAP_MS = 20_000;

async function watchEvents(
  options: EventListOptions,
  since: string | null,
  cli: Cli,
): Promise<void> {
  const stop = new AbortController();
  const release = cli.onInterrupt(() => stop.abort());
  const seen = new Map<string, number>();
  const start = since ?? new Date(await cli.askNow()).toISOString();
  let newest = Date.parse(start);
  const patiently = <T>(request: () => Promise<T>): Promise<T | null> =>
    outlast(cli, request, stop.signal, reportAway(cli));
  try {
    const opened = await patiently(() => source(options, cli));
    if (opened === null) return;
    const print = printer(options, opened.project, cli);
    const list: List = async (query) => (await patiently(() => opened.list(query))) ?? [];
    while (!stop.signal.aborted) {
      const from = new Date(Math.max(Date.parse(start), newest - OVERLAP_MS)).toISOString();
      for await (const event of eventsSince(list, from)) {
        if (seen.has(event.id)) continue;
        const at = Date.parse(event.recorded_at);
        seen.set(event.id, at);
        newest = Math.max(newest, at);
        print(event);
      }
      for (const [id, at] of seen) if (at < newest - 2 * OVERLAP_MS) seen.delete(id);
      await cli.wait(POLL_MS, stop.signal).catch(() => undefined);
    }
  } finally {
    release();
  }
}
