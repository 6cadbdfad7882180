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

/** By operation id. Members of the project in the path may subscribe, or all users. */
export const eventStreams: Readonly<Record<string, EventStream>> = {
  'changes.stream': {
    path: '/api/stream',
    summary: "What changes in all of the caller's projects",
    messages:
      'Messages `change`: `{type, id, project, version, data}`. `type` is the kind of record (run, job, instance, fleet, volume, gateway, project, user, event), or progress of a job (pull, metrics); `project` is the name of its project; `version` rises with each change of the record, null if it has none; `data` is the new state as lists return it, absent if it is large. For project and user, `data.part` names what changed. First comes `ready` (`{resumed}`), or `reset` (`{reason}`) if messages after `Last-Event-ID` are lost; `reset` may come later too: then everything must be read again. `alive` comes every 15 seconds. Every message has an id. The stream continues until the client disconnects, its access is revoked, or it stops reading.',
    query: [optional('types', 'Only messages of these types, separated by commas')],
  },
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
  'services.access': {
    path: `${project}/services/{run_name}/access`,
    summary: 'The requests of a service, after their end',
    messages:
      'First `requests` with the latest ones that the server keeps (200 per process), then with the new ones four times a second: a list of `{time, method, path, status, ms, user, address, request_id, job_id}`, oldest first. `skipped`: the number of requests that are missing before the next message, since more have ended than are kept. Of all servers and of the gateway, and only those that callers were admitted to.',
    query: [optional('follow', '`false`: ends after the first message; default `true`')],
  },
  'logs.stream': {
    path: `${project}/logs/stream`,
    summary: 'Output of a job, live and to the byte',
    messages:
      'Messages without a name carry bytes in base64; their id is the offset after them. `gap`: the number of lost bytes. `times`, only with `timestamps`, before the bytes that it belongs to: pairs of the offset after bytes and the time when they were read from the job, in milliseconds since 1970 UTC. `end`: the output is complete.',
    query: [
      needed('run_name', 'Name of the run'),
      needed('job_submission_id', 'Id of the submission'),
      optional('offset', 'First byte; default 0'),
      optional('start_time', 'Only output after this time'),
      optional('lines', 'Only this many last lines'),
      optional('timestamps', '`true`: with the times of the output; default `false`'),
      optional('follow', '`false`: ends with what is stored now; default `true`'),
    ],
  },
};

const which = [
  optional('replica', 'Number of the replica; default the first one that runs'),
  optional('job', 'Number of the node; default 0'),
];

const ACCESS =
  'For the user who submitted the run and for managers of the project. Browsers offer the protocols `dstack.v1` and `dstack.key.<key of the session>`, from pages of the server only. The reason why there is no connection is the message `{type: "error", code, message}`, with close code 4000 + HTTP status. Revoked access closes the connection (1008), like hours without use (4408).';

/** WebSockets into running jobs, which dstack 0.22.5 does not have; by operation id. */
export const jobSockets: Readonly<Record<string, EventStream>> = {
  'jobs.exec': {
    path: `${project}/runs/{run_name}/exec`,
    summary: 'WebSocket: a command in a running job',
    messages: `First \`{type: "start", argv | command, tty: {term, cols, rows}, env, user}\`: \`argv\` is started unchanged, \`command\` by the job's shell, with neither a login shell; \`tty\` null separates output and error. Then \`resize\` (\`cols\`, \`rows\`), \`signal\` (\`name\`) and \`eof\`. Binary messages are a byte with the channel (0 input, 1 output, 2 error) and bytes of it, 1 MiB at most. The answers are \`started\`, and last \`{type: "exit", status, signal}\`. A command ends with its connection. ${ACCESS}`,
    query: which,
  },
  'jobs.port': {
    path: `${project}/runs/{run_name}/port`,
    summary: 'WebSocket: a TCP connection to a port of a running job',
    messages: `Binary messages are bytes of the connection, in both directions. ${ACCESS}`,
    query: [needed('port', 'Number of the port, 1 to 65535'), ...which],
  },
};
