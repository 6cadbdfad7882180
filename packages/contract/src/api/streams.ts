/** Streams of server-sent events, which dstack 0.22.5 does not have, with their descriptions. */

export interface StreamParameter {
  readonly name: string;
  readonly required: boolean;
  readonly description: string;
}

export interface EventStream {
  readonly path: string;
  readonly summary: string;
  /** The messages, and how the stream ends. */
  readonly messages: string;
  readonly query: readonly StreamParameter[];
}

const project = '/api/project/{project_name}';

const needed = (name: string, description: string) => ({ name, required: true, description });
const optional = (name: string, description: string) => ({ name, required: false, description });

/** By operation id. Members of the project may subscribe. */
export const eventStreams: Readonly<Record<string, EventStream>> = {
  'runs.watch': {
    path: `${project}/runs/watch`,
    summary: 'A run now, and again whenever it changes',
    messages:
      'Messages `run`, whose data is a Run. The stream continues until the client disconnects.',
    query: [needed('run_name', 'Name of the run')],
  },
  'events.stream': {
    path: `${project}/events/stream`,
    summary: 'Events of the project as they are written',
    messages: 'Messages `event`, whose data is an Event, oldest first, from now on.',
    query: [
      optional('prev_recorded_at', 'Start with events after this time'),
      optional('prev_id', 'Start after this event of that time'),
      optional('include_target_types', 'Only of these types, separated by commas'),
      optional('actors', 'Only of these users, by id, separated by commas; `null`: the system'),
      optional('within_runs', 'Only of these runs, by id, separated by commas'),
      optional('within_fleets', 'Only of these fleets, by id, separated by commas'),
    ],
  },
  'logs.stream': {
    path: `${project}/logs/stream`,
    summary: 'Output of a job, live and to the byte',
    messages:
      'Messages without a name carry bytes in base64; their id is the offset after them. `gap`: the number of lost bytes. `end`: the output is complete.',
    query: [
      needed('run_name', 'Name of the run'),
      needed('job_submission_id', 'Id of the submission'),
      optional('offset', 'First byte; default 0'),
      optional('start_time', 'Only output after this time'),
      optional('lines', 'Only this many last lines'),
    ],
  },
};
