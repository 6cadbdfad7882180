/** The texts of events: pure functions of action and data. */
import type { Event } from './event.ts';
import type { EventAction } from './event-actions.ts';
import type { EventData, FieldChange } from './event-data.ts';

/** How a text names statuses and reasons. Everything else has one wording. */
interface EventWording {
  /** A status or a reason, which is `lower_case` in the data. */
  readonly name: (word: string) => string;
  /** A status of a fleet. */
  readonly fleet: (word: string) => string;
  /** The end of "Run …", with names. */
  readonly change: (property: 'status' | 'health', from: string, to: string) => string;
  readonly reason: string;
}

/** The audit format of dstack 0.22.5, which its clients show: keep it. */
export const AUDIT_WORDING: EventWording = {
  name: (word) => word.toUpperCase(),
  fleet: (word) => word.toUpperCase(),
  change: (property, from, to) => `${property} changed ${from} -> ${to}`,
  reason: 'Termination reason',
};

/** A fleet that ends is deleted: only its machines are terminated. */
const FLEET_WORDS: Readonly<Record<string, string>> = {
  terminating: 'deleting',
  terminated: 'deleted',
};

/** For people: statuses and reasons in lower case, as everywhere else. */
const READER_WORDING: EventWording = {
  name: (word) => word.replaceAll('_', ' '),
  fleet: (word) => FLEET_WORDS[word] ?? word,
  change: (property, from, to) => `${property}: ${from} → ${to}`,
  reason: 'Reason',
};

/** The text of an event for people; an action that this version does not know has its text of the API. */
export function readerText({ action, data, message }: Pick<Event, 'action' | 'data' | 'message'>) {
  if (action === null || action === 'legacy' || data === null || !isKnownAction(action)) {
    return message;
  }
  return eventText<EventAction>(action, data as EventData[EventAction], READER_WORDING);
}

/** No line breaks, and no dot at the end. */
export function eventText<A extends EventAction>(
  action: A,
  data: EventData[A],
  wording: EventWording,
): string {
  return oneLine(TEXTS[action](data, wording));
}

/** Another version of the server may record actions that this one does not know. */
function isKnownAction(action: string): action is EventAction {
  return Object.hasOwn(TEXTS, action);
}

function oneLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  // Messages of backends end with a dot of their own.
  return lines
    .filter((line) => line !== '')
    .join(' ')
    .replace(/\.{1,2}$/, '');
}

const TEXTS: {
  readonly [A in EventAction]: (data: EventData[A], wording: EventWording) => string;
} = {
  legacy: ({ text }) => text,

  'run.submitted': ({ status }, { name }) => `Run submitted. Status: ${name(status)}`,
  'run.updated': ({ deployment, fields }) =>
    `Run updated. Deployment: ${deployment}. Changed fields: ${fields.join(', ') || 'none'}`,
  'run.status_changed': (data, wording) => `Run ${changeWithReason(data, wording)}`,
  'run.deleted': () => 'Run deleted',
  'run.dependencies_met': () => 'All runs that it depends on have ended',
  'run.dependency_unmet': ({ run, on, outcome }) =>
    `Run cannot start: it depends on the ${on} of run ${run}, which ${outcome === 'success' ? 'is done' : 'has failed'}`,
  'run.held': () => 'Run held',
  'run.released': ({ why }) =>
    why === 'request' ? 'Run released' : 'Hold withdrawn: the run has its place already',
  'run.scaled': ({ group, from, to, why }) =>
    `${group === null ? 'Service' : `Group ${group}`} scaled from ${from} to ${to} replicas: ${why}`,
  'run.rollout_held': () => 'Rollout holds: its canaries are ready',
  'run.rollout_paused': () => 'Rollout paused',
  'run.rollout_resumed': () => 'Rollout resumed',
  'run.rolled_back': ({ failed, deployment, restored, message }) =>
    `Deployment ${failed} rolled back: ${message}. ` +
    `Deployment ${deployment} has the configuration of ${restored}`,
  'run.query_failed': ({ query, error }) =>
    `Query of autoscaling fails, and the number of replicas stays: ${query}: ${error}`,
  'run.query_recovered': ({ query }) => `Query of autoscaling has an answer again: ${query}`,

  'job.created': ({ on, status }, { name }) => `Job created on ${on}. Status: ${name(status)}`,
  'job.status_changed': (data, wording) => `Job ${changeWithReason(data, wording)}`,
  'job.waiting': ({ why }) => `Job waits for capacity: ${why}`,
  'job.assigned': (data) => `Job assigned to instance. ${blocks(data)}`,
  'job.unassigned': (data) => `Job unassigned from instance. ${blocks(data)}`,
  'job.reachable': () => 'Job became reachable',
  'job.unreachable': () => 'Job became unreachable',
  'job.replica_ready': () => 'Service replica ready to receive requests',
  'job.replica_avoided': ({ seconds, ...why }) =>
    `Service replica gets no requests for ${seconds} s: ${avoidedText(why)}`,
  'job.graceful_stop_requested': () => 'Graceful job stop requested',
  'job.notice_given': ({ message, interrupt_at, ends_at }) =>
    `Job has to leave its instance: ${message}. Ctrl-C: ${utc(interrupt_at)}. End: ${utc(ends_at)}`,
  'job.notice_withdrawn': () => 'Job may stay on its instance',

  'instance.created': ({ why, status }, { name }) => {
    if (why === 'job') return `Instance created for job. Instance status: ${name(status)}`;
    const cause = why === 'target fleet node count' ? `to meet ${why}` : `on ${why}`;
    return `Instance created ${cause}. Status: ${name(status)}`;
  },
  'instance.provisioning': ({ stage }) => `Instance is being provisioned: ${stage}`,
  'instance.provisioned': ({ status }, { name }) =>
    `Instance provisioned for job. Instance status: ${name(status)}`,
  'instance.status_changed': (data, wording) => `Instance ${changeWithReason(data, wording)}`,
  'instance.health_changed': (data, wording) => `Instance ${change('health', data, wording)}`,
  'instance.reachable': () => 'Instance became reachable',
  'instance.unreachable': () => 'Instance became unreachable',
  'instance.cordoned': ({ until, reason }) =>
    `Instance cordoned${until === null ? '' : ` until ${utc(until)}`}${reason === null ? '' : `: ${reason}`}`,
  'instance.uncordoned': ({ expired }) =>
    `Instance uncordoned${expired ? ': the time of its cordon is over' : ''}`,
  'instance.draining': ({ deadline, reason }) =>
    `Instance is drained until ${utc(deadline)}${reason === null ? '' : `: ${reason}`}`,
  'instance.taken_back': ({ reason, deadline }) =>
    `Provider takes the instance back (${reason}): its jobs leave it until ${utc(deadline)}`,
  'instance.drained': () => 'Instance drained: it has no jobs',
  'instance.divided': ({ before, blocks }) =>
    `Instance divided into ${blocks} ${blocks === 1 ? 'block' : 'blocks'}${before === null ? '' : ` (before: ${before})`}`,
  'instance.machine_abandoned': ({ instance, ids, backend, region }) =>
    `Machine of instance ${instance} (${ids.join(', ') || 'unknown id'}) in ${backend}/${region} may still run and cost money: ` +
    `backend ${backend} was removed before the machine was terminated. Terminate it at the provider`,

  'fleet.created': ({ status }, { fleet }) => `Fleet created. Status: ${fleet(status)}`,
  'fleet.updated': ({ fields }) => `Fleet updated. Changed fields: ${fields.join(', ')}`,
  'fleet.status_changed': (data, wording) =>
    `Fleet ${change('status', data, { ...wording, name: wording.fleet })}`,
  'fleet.consolidation_stopped': ({ attempts }) =>
    `Fleet consolidation stopped after ${attempts} attempts`,
  'fleet.maintenance_announced': ({ starts_at, ends_at }) =>
    `Fleet is in maintenance from ${starts_at} to ${ends_at}: its jobs leave before`,
  'fleet.maintenance_began': ({ ends_at }) => `Maintenance of fleet began. End: ${ends_at}`,
  'fleet.maintenance_ended': ({ early }) =>
    early
      ? 'Maintenance of fleet cancelled: its schedule, or the clock of the server, was changed'
      : 'Maintenance of fleet ended',
  'fleet.group_created': (data) => `${group(data)} created in ${data.backend}/${data.region}`,
  'fleet.group_failed': (data) => `${group(data)} could not be created: ${data.message}`,
  'fleet.group_deleted': (data) => `${group(data)} deleted`,
  'fleet.group_abandoned': (data) =>
    `${group(data)} may still exist in ${data.backend}/${data.region} (${data.id}): the backend was removed. Delete it at the provider`,

  'volume.created': ({ status }, { name }) => `Volume created. Status: ${name(status)}`,
  'volume.status_changed': (data, wording) => `Volume ${change('status', data, wording)}`,
  'volume.problem_reported': ({ problem }) => `Volume has a problem: ${problem}`,
  'volume.problem_resolved': () => 'Volume has no problem any more',
  'volume.attached': () => 'Volume attached to instance',
  'volume.detached': () => 'Volume detached from instance',
  'volume.deletion_requested': ({ by }) =>
    `Volume marked for deletion${by === 'auto-cleanup' ? ' due to auto-cleanup' : ''}`,
  'volume.deleted': () => 'Volume deleted',
  'volume.data_abandoned': ({ volume, id, backend, why }) =>
    `The data of volume ${volume} (${id} in ${backend}) may still exist: ${why} before they were deleted`,

  'gateway.created': ({ status }, { name }) => `Gateway created. Status: ${name(status)}`,
  'gateway.updated': ({ fields }) => `Gateway updated. Changed fields: ${fields.join(', ')}`,
  'gateway.status_changed': (data, wording) => `Gateway ${change('status', data, wording)}`,
  'gateway.domain_changed': ({ from, to }) =>
    `Gateway wildcard domain changed ${from ?? '-'} -> ${to}`,
  'gateway.domain_unproven': ({ domain, why }) =>
    `The certificate for ${domain} is being renewed, but the next version of the server refuses it. ${why}`,
  'gateway.certificate_set': ({ domain, until }) =>
    `Gateway certificate set for ${domain}, valid until ${until}`,
  'gateway.certificate_deleted': ({ domain }) => `Gateway certificate deleted for ${domain}`,
  'gateway.certificate_renewed': (data) =>
    `The certificate for ${domains(data)} has been renewed, and is valid until${at(data)}`,
  'gateway.certificate_ending': (data) =>
    `The certificate for ${domains(data)} ends at${at(data)}, and has not been renewed${because(data)}`,
  'gateway.certificate_expired': (data) =>
    `The certificate for ${domains(data)} has expired${at(data) && ` at${at(data)}`}${because(data)}`,
  'gateway.default_set': () => 'Gateway set as project default',
  'gateway.default_unset': () => 'Gateway unset as project default',
  'gateway.deletion_requested': () => 'Gateway marked for deletion',
  'gateway.deleted': () => 'Gateway deleted',
  'gateway.machine_abandoned': ({ gateway, id, backend }) =>
    `The machine ${id} of gateway ${gateway} may still exist: backend ${backend} was removed`,
  'gateway.replica_created': ({ status }, { name }) =>
    `Gateway replica created. Status: ${name(status)}`,
  'gateway.replica_cut_off': ({ gateway, replica }) =>
    `Replica ${replica} of gateway ${gateway} has sent too many messages about runs, projects and users that are not behind it. ` +
    'Its link to the server is closed for a minute. If its host is not yours, delete the gateway; if it is, upgrade the server, which replaces the program of the gateway',
  'gateway.replica_not_plain': ({ gateway, replica, why }) =>
    `Workers of replica ${replica} of gateway ${gateway} answer all requests, which nginx was to answer itself: ${why}`,
  'gateway.replica_status_changed': (data, wording) =>
    `Gateway replica ${change('status', data, wording)}`,

  'project.created': () => 'Project created',
  'project.updated': ({ fields }) => `Project updated. Changed fields: ${fields.join(', ')}`,
  'project.deleted': () => 'Project deleted',
  'project.members_set': () => 'Project members updated',
  'project.members_added': () => 'Project members added',
  'project.members_removed': () => 'Project members removed',
  'project.orphan_found': (data) =>
    `${orphan(data)} found: it carries this server's tag${orphanOwner(data)}, but the server has no record of it`,
  'project.orphan_settled': (data) => `${orphan(data)} ${SETTLED[data.how]}`,
  'project.restored': ({ backup_created_at: since, restored_at: at }) =>
    `Database restored at ${at} from the backup of ${since}. Changes in between are lost`,

  'backend.created': ({ backend }) => `Backend ${backend} created`,
  'backend.updated': ({ backend, fields }) =>
    `Backend ${backend} updated. Changed fields: ${fields.join(', ')}`,
  'backend.deleted': ({ backend }) => `Backend ${backend} deleted`,
  'service_token.created': ({ name }) => `Service token '${name}' created`,
  'service_token.deleted': ({ name }) => `Service token '${name}' deleted`,
  'export.created': ({ name }) => `Export '${name}' created`,
  'export.updated': ({ name }) => `Export '${name}' updated`,
  'export.deleted': ({ name }) => `Export '${name}' deleted`,
  'import.deleted': ({ name }) => `Import '${name}' deleted`,
  'quota.applied': (data) => `Quota${quotaPlace(data)} set${changesText(data.changes)}`,
  'quota.deleted': (data) => `Quota${quotaPlace(data)} deleted`,
  'secret.created': () => 'Secret created',
  'secret.updated': () => 'Secret updated',
  'secret.deleted': () => 'Secret deleted',

  'request.refused': ({ endpoint, reason }) => `Request ${endpoint} refused: ${reason}`,

  'user.created': () => 'User created',
  'user.updated': ({ fields }) => `User updated. Changed fields: ${fields.join(', ')}`,
  'user.deleted': () => 'User deleted',
  'user.token_refreshed': () => 'User token refreshed',
  'user.ssh_key_refreshed': () => 'User SSH key refreshed',
  'user.public_key_added': ({ fingerprint }) => `Public key ${fingerprint} added`,
  'user.public_key_deleted': ({ fingerprint }) => `Public key ${fingerprint} deleted`,
};

interface Change {
  readonly from: string;
  readonly to: string;
  readonly message: string | null;
}

const inBrackets = (text: string | null): string => (text === null ? '' : ` (${text})`);

function change(property: 'status' | 'health', data: Change, wording: EventWording): string {
  const { from, to, message } = data;
  return wording.change(property, wording.name(from), wording.name(to)) + inBrackets(message);
}

function changeWithReason(
  data: Change & { readonly reason: string | null },
  wording: EventWording,
): string {
  const text = change('status', { ...data, message: null }, wording);
  if (data.reason === null) return text;
  return `${text}. ${wording.reason}: ${wording.name(data.reason)}${inBrackets(data.message || null)}`;
}

const blocks = (data: EventData['job.assigned']): string =>
  `Instance blocks: ${data.busy_blocks}/${data.total_blocks} busy`;

const group = ({ kind, name }: EventData['fleet.group_deleted']): string =>
  `${kind === 'placement' ? 'Placement' : 'Compute'} group ${name}`;

type Certificates = EventData['gateway.certificate_renewed'];

function domains({ domains: names, omitted }: Certificates): string {
  const last = omitted > 0 ? `${omitted} more` : names.at(-1);
  const others = omitted > 0 ? names : names.slice(0, -1);
  return others.length === 0 ? `${last}` : `${others.join(', ')} and ${last}`;
}

/** With a blank before it; empty if it is not known. */
function at({ expires_at: instant }: Certificates): string {
  return instant === null ? '' : ` ${utc(instant)}`;
}

const utc = (instant: string): string => `${instant.slice(0, 19).replace('T', ' ')} UTC`;

/** Where in the project of the targets the quota applies; empty if on all fleets, and to all users together. */
function quotaPlace({ fleet, user }: EventData['quota.deleted']): string {
  const whose = user === '*' ? ' of each user' : user === null ? '' : ` of user ${user}`;
  return `${whose}${fleet === null ? '' : ` on fleet ${fleet}`}`;
}

function changesText(changes: readonly FieldChange[] = []): string {
  const shown = changes.map(
    ({ field, before, after }) => `${field} ${valueText(before)} -> ${valueText(after)}`,
  );
  return shown.length === 0 ? '' : `: ${shown.join(', ')}`;
}

const valueText = (value: unknown): string =>
  value === null || value === undefined ? 'none' : JSON.stringify(value).replaceAll('"', '');

/** Why a replica gets no requests; see the data of `job.replica_avoided`. */
export function avoidedText({
  errors,
  rate,
  others,
}: Omit<EventData['job.replica_avoided'], 'seconds'>): string {
  if (errors !== null) {
    return `it has answered ${errors} requests in a row with errors, which other replicas do not`;
  }
  return `it has answered ${percent(rate)} of recent requests with errors, other replicas ${percent(others)}`;
}

const percent = (rate: number | null): string => `${Math.round((rate ?? 0) * 100)} %`;

type Orphan = Pick<EventData['project.orphan_found'], 'kind' | 'id' | 'backend'>;

const because = ({ message }: { readonly message: string | null }): string =>
  message === null ? '' : `: ${message}`;

const orphan = ({ kind, id, backend }: Orphan): string => `Orphaned ${kind} ${id} in ${backend}`;

function orphanOwner({ project, fleet, instance }: EventData['project.orphan_found']): string {
  const known = Object.entries({ project, fleet, instance }).filter(([, name]) => name !== null);
  const names = known.map(([what, name]) => `${what} ${name}`).join(', ');
  return names === '' ? '' : ` (created for ${names})`;
}

const SETTLED: Readonly<Record<EventData['project.orphan_settled']['how'], string>> = {
  accounted_for: 'is accounted for again',
  terminated: 'terminated by the server',
  disappeared: 'no longer exists',
};
