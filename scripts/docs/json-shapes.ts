/** The top-level keys of the JSON that commands print, and what they hold. A test compares them with output. */
export interface JsonShape {
  /** Arguments with which a test runs the command. */
  readonly args?: readonly string[];
  readonly keys: Readonly<Record<string, string>>;
  /** One document for each item, a line each. */
  readonly isLines?: boolean;
}

const PROJECT = { project: 'name' };

export const JSON_SHAPES: Readonly<Record<string, JsonShape>> = {
  ps: { keys: { ...PROJECT, runs: 'list of `Run`' } },
  queue: {
    keys: {
      runs: 'list of `QueuedRun`',
      total: 'number of all that wait',
      kept_back: 'list of `KeptBackRun`',
      kept_back_total: 'number of all that are held or wait for other runs',
    },
  },
  share: { keys: { shares: 'list of `Share`' } },
  'fleet list': { keys: { ...PROJECT, fleets: 'list of `Fleet`, with its `instances`' } },
  'gateway list': { keys: { ...PROJECT, gateways: 'list of `Gateway`' } },
  'volume list': { keys: { ...PROJECT, volumes: 'list of `Volume`' } },
  'secret list': { keys: { ...PROJECT, secrets: 'list of `Secret`, without values' } },
  'secret get': { args: ['x'], keys: { id: 'id', name: 'name', value: 'the value' } },
  'token list': { keys: { ...PROJECT, tokens: 'list of `ServiceToken`' } },
  'token create': {
    args: ['x'],
    keys: {
      ...{ id: 'id', name: 'name', scope: 'scope', created_by: 'user', created_at: 'time' },
      ...{ expires_at: 'time, or null', last_used_at: 'null', token: 'the token' },
      ...{ models: 'names, or null', services: 'names, or null' },
      ...{ limits: 'map, or null', used: 'map' },
    },
  },
  'export list': { keys: { ...PROJECT, exports: 'list of `Export`' } },
  'import list': { keys: { ...PROJECT, imports: 'list of `Import`' } },
  'project list': { keys: { projects: 'list of projects of this computer' } },
  'server orphans': { keys: { orphans: 'list', sweeps: 'list: the last sweep of each backend' } },
  'event list': {
    isLines: true,
    keys: {
      ...{ id: 'id', message: 'text', recorded_at: 'time', actor_user_id: 'id, or null' },
      ...{ actor_user: 'name, or null', is_actor_user_deleted: 'flag', targets: 'list' },
      ...{ action: 'what happened', data: 'by action', outcome: '`done` or `refused`' },
      ...{ actor_token: 'name, or null', actor_address: 'address, or null' },
    },
  },
  metrics: {
    args: ['x'],
    keys: { run: 'name', jobs: 'list: `replica_num`, `job_num`, `metrics`' },
  },
  offer: {
    keys: {
      ...{ project: 'name', user: 'name', requirements: 'what was asked for' },
      ...{ offers: 'list: `backend`, `region`, `instance_type`, `resources`, `price`, …' },
      total_offers: 'number, also of those that are not listed',
    },
  },
  explain: {
    args: ['rr'],
    keys: {
      ...{ subject: '`kind`, `name`, `status`', state: 'word', summary: 'sentence' },
      ...{ waiting_for: 'rule, or null', since: 'time', until: 'time', attempt: 'number' },
      ...{ expected_start: 'time, or null', is_about: 'flag' },
      ...{ position: 'number', ahead: 'list', reasons: 'list', parts: 'list' },
      ...{ considered: 'list', fixes: 'list', events: 'list' },
    },
  },
};

/** One line for the reference; null: nothing is known about the command. */
export function shapeText(command: string): string | null {
  const shape = JSON_SHAPES[command] ?? JSON_SHAPES[`${command} list`];
  if (shape === undefined) return null;
  const keys = Object.entries(shape.keys).map(([key, text]) => `\`${key}\`: ${text}`);
  return `${shape.isLines ? 'a line for each: ' : ''}${keys.join('; ')}`;
}
