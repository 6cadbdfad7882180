import { EVENT_ACTIONS, type EventAction, type EventData } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import type { NewEvent } from '../model/index.ts';
import { eventMessage } from './event-message.ts';
import { recordEvent } from './record-event.ts';

type Case<A extends EventAction> = readonly [EventData[A], string];

const fields = ['configuration.image', 'configuration.env'];
const placed = { backend: 'aws', region: 'eu-west-1' };
const group = { kind: 'placement', name: 'lab-pg' } as const;
const certificate = { domains: ['a.test'], omitted: 0, expires_at: '2026-09-21T14:13:20.000Z' };
const orphan = { kind: 'instance', id: 'i-1', backend: 'aws' };
const none = {};

/** Texts that official clients show. A changed line here changes the audit log of every installation. */
const TEXTS: { readonly [A in EventAction]: readonly [Case<A>, ...Case<A>[]] } = {
  legacy: [[{ text: 'Anything at all' }, 'Anything at all']],

  'run.submitted': [[{ status: 'submitted' }, 'Run submitted. Status: SUBMITTED']],
  'run.updated': [
    [
      { deployment: 2, fields },
      'Run updated. Deployment: 2. Changed fields: configuration.image, configuration.env',
    ],
    [{ deployment: 3, fields: [] }, 'Run updated. Deployment: 3. Changed fields: none'],
  ],
  'run.status_changed': [
    [
      { from: 'submitted', to: 'provisioning', reason: null, message: null },
      'Run status changed SUBMITTED -> PROVISIONING',
    ],
    [
      { from: 'running', to: 'terminating', reason: 'job_failed', message: null },
      'Run status changed RUNNING -> TERMINATING. Termination reason: JOB_FAILED',
    ],
  ],
  'run.deleted': [[none, 'Run deleted']],
  'run.dependencies_met': [[none, 'All runs that it depends on have ended']],
  'run.dependency_unmet': [
    [
      { run: 'prepare', on: 'success', outcome: 'failure' },
      'Run cannot start: it depends on the success of run prepare, which has failed',
    ],
    [
      { run: 'check', on: 'failure', outcome: 'success' },
      'Run cannot start: it depends on the failure of run check, which is done',
    ],
  ],
  'run.held': [[none, 'Run held']],
  'run.released': [
    [{ why: 'request' }, 'Run released'],
    [{ why: 'placed' }, 'Hold withdrawn: the run has its place already'],
  ],
  'run.scaled': [
    [
      { group: null, from: 1, to: 3, why: '30 requests per second' },
      'Service scaled from 1 to 3 replicas: 30 requests per second',
    ],
    [
      { group: 'decode', from: 2, to: 1, why: 'idle' },
      'Group decode scaled from 2 to 1 replicas: idle',
    ],
  ],
  'run.rollout_held': [[none, 'Rollout holds: its canaries are ready']],
  'run.rollout_paused': [[none, 'Rollout paused']],
  'run.rollout_resumed': [[none, 'Rollout resumed']],
  'run.rolled_back': [
    [
      { failed: 4, deployment: 5, restored: 3, message: 'requested by ann' },
      'Deployment 4 rolled back: requested by ann. Deployment 5 has the configuration of 3',
    ],
  ],
  'run.query_failed': [
    [
      { query: 'up', error: 'status 500' },
      'Query of autoscaling fails, and the number of replicas stays: up: status 500',
    ],
  ],
  'run.query_recovered': [[{ query: 'up' }, 'Query of autoscaling has an answer again: up']],

  'job.created': [
    [
      { on: 'run submission', status: 'submitted' },
      'Job created on run submission. Status: SUBMITTED',
    ],
    [{ on: 'retry', status: 'submitted' }, 'Job created on retry. Status: SUBMITTED'],
  ],
  'job.status_changed': [
    [
      { from: 'pulling', to: 'running', reason: null, message: null },
      'Job status changed PULLING -> RUNNING',
    ],
    [
      {
        ...{ from: 'running', to: 'terminating' },
        ...{ reason: 'container_exited_with_error', message: 'exit status 1' },
      },
      'Job status changed RUNNING -> TERMINATING. Termination reason: CONTAINER_EXITED_WITH_ERROR (exit status 1)',
    ],
    [
      { from: 'running', to: 'terminating', reason: 'aborted_by_user', message: '' },
      'Job status changed RUNNING -> TERMINATING. Termination reason: ABORTED_BY_USER',
    ],
  ],
  'job.waiting': [[{ why: 'no offers' }, 'Job waits for capacity: no offers']],
  'job.assigned': [
    [{ busy_blocks: 2, total_blocks: 8 }, 'Job assigned to instance. Instance blocks: 2/8 busy'],
  ],
  'job.unassigned': [
    [
      { busy_blocks: 0, total_blocks: 1 },
      'Job unassigned from instance. Instance blocks: 0/1 busy',
    ],
  ],
  'job.reachable': [[none, 'Job became reachable']],
  'job.unreachable': [[none, 'Job became unreachable']],
  'job.replica_ready': [[none, 'Service replica ready to receive requests']],
  'job.replica_avoided': [
    [
      { seconds: 5, errors: 5, rate: null, others: null },
      'Service replica gets no requests for 5 s: it has answered 5 requests in a row with errors, which other replicas do not',
    ],
    [
      { seconds: 10, errors: null, rate: 0.625, others: 0.02 },
      'Service replica gets no requests for 10 s: it has answered 63 % of recent requests with errors, other replicas 2 %',
    ],
  ],
  'job.notice_given': [
    [
      {
        message: 'lab-0 is drained by ann',
        interrupt_at: '2026-12-01T10:00:30Z',
        ends_at: '2026-12-01T10:01:00Z',
      },
      'Job has to leave its instance: lab-0 is drained by ann. Ctrl-C: 2026-12-01 10:00:30 UTC. End: 2026-12-01 10:01:00 UTC',
    ],
  ],
  'job.notice_withdrawn': [[none, 'Job may stay on its instance']],
  'job.graceful_stop_requested': [[none, 'Graceful job stop requested']],

  'instance.created': [
    [{ why: 'job', status: 'pending' }, 'Instance created for job. Instance status: PENDING'],
    [
      { why: 'fleet submission', status: 'pending' },
      'Instance created on fleet submission. Status: PENDING',
    ],
    [
      { why: 'fleet update', status: 'pending' },
      'Instance created on fleet update. Status: PENDING',
    ],
    [
      { why: 'target fleet node count', status: 'pending' },
      'Instance created to meet target fleet node count. Status: PENDING',
    ],
  ],
  'instance.provisioning': [
    [{ stage: 'Installing the agent' }, 'Instance is being provisioned: Installing the agent'],
    [{ stage: 'One line.\n Another.' }, 'Instance is being provisioned: One line. Another'],
  ],
  'instance.provisioned': [
    [{ status: 'busy' }, 'Instance provisioned for job. Instance status: BUSY'],
  ],
  'instance.status_changed': [
    [
      { from: 'idle', to: 'terminating', reason: 'idle_timeout', message: null },
      'Instance status changed IDLE -> TERMINATING. Termination reason: IDLE_TIMEOUT',
    ],
  ],
  'instance.health_changed': [
    [
      { from: 'healthy', to: 'warning', message: 'disk is full' },
      'Instance health changed HEALTHY -> WARNING (disk is full)',
    ],
    [
      { from: 'warning', to: 'healthy', message: null },
      'Instance health changed WARNING -> HEALTHY',
    ],
  ],
  'instance.reachable': [[none, 'Instance became reachable']],
  'instance.unreachable': [[none, 'Instance became unreachable']],
  'instance.cordoned': [
    [{ until: null, reason: null }, 'Instance cordoned'],
    [
      { until: '2026-12-01T10:00:00Z', reason: 'a fan is replaced' },
      'Instance cordoned until 2026-12-01 10:00:00 UTC: a fan is replaced',
    ],
  ],
  'instance.draining': [
    [
      { deadline: '2026-12-01T10:00:00Z', reason: null },
      'Instance is drained until 2026-12-01 10:00:00 UTC',
    ],
    [
      { deadline: '2026-12-01T10:00:00Z', reason: 'a fan is replaced' },
      'Instance is drained until 2026-12-01 10:00:00 UTC: a fan is replaced',
    ],
  ],
  'instance.taken_back': [
    [
      { reason: 'terminate', deadline: '2026-12-01T10:00:00Z' },
      'Provider takes the instance back (terminate): its jobs leave it until 2026-12-01 10:00:00 UTC',
    ],
  ],
  'instance.drained': [[none, 'Instance drained: it has no jobs']],
  'instance.divided': [
    [{ before: 4, blocks: 1 }, 'Instance divided into 1 block (before: 4)'],
    [{ before: null, blocks: 2 }, 'Instance divided into 2 blocks'],
  ],
  'instance.uncordoned': [
    [{ expired: false }, 'Instance uncordoned'],
    [{ expired: true }, 'Instance uncordoned: the time of its cordon is over'],
  ],
  'instance.machine_abandoned': [
    [
      { instance: 'lab-0', ids: ['i-1', '192.0.2.1'], ...placed },
      'Machine of instance lab-0 (i-1, 192.0.2.1) in aws/eu-west-1 may still run and cost money: backend aws was removed before the machine was terminated. Terminate it at the provider',
    ],
    [
      { instance: 'lab-0', ids: [], ...placed },
      'Machine of instance lab-0 (unknown id) in aws/eu-west-1 may still run and cost money: backend aws was removed before the machine was terminated. Terminate it at the provider',
    ],
  ],

  'fleet.created': [[{ status: 'active' }, 'Fleet created. Status: ACTIVE']],
  'fleet.updated': [
    [
      { fields: ['configuration.nodes', 'profile'] },
      'Fleet updated. Changed fields: configuration.nodes, profile',
    ],
  ],
  'fleet.status_changed': [
    [
      { from: 'active', to: 'terminating', message: null },
      'Fleet status changed ACTIVE -> TERMINATING',
    ],
    [
      { from: 'active', to: 'terminating', message: 'its project is deleted' },
      'Fleet status changed ACTIVE -> TERMINATING (its project is deleted)',
    ],
  ],
  'fleet.consolidation_stopped': [
    [{ attempts: 15 }, 'Fleet consolidation stopped after 15 attempts'],
  ],
  'fleet.maintenance_announced': [
    [
      { starts_at: '2026-12-02T02:00:00Z', ends_at: '2026-12-02T06:00:00Z' },
      'Fleet is in maintenance from 2026-12-02T02:00:00Z to 2026-12-02T06:00:00Z: its jobs leave before',
    ],
  ],
  'fleet.maintenance_began': [
    [
      { starts_at: '2026-12-02T02:00:00Z', ends_at: '2026-12-02T06:00:00Z' },
      'Maintenance of fleet began. End: 2026-12-02T06:00:00Z',
    ],
  ],
  'fleet.maintenance_ended': [
    [{ early: false }, 'Maintenance of fleet ended'],
    [
      { early: true },
      'Maintenance of fleet cancelled: its schedule, or the clock of the server, was changed',
    ],
  ],
  'fleet.group_created': [
    [{ ...group, ...placed }, 'Placement group lab-pg created in aws/eu-west-1'],
  ],
  'fleet.group_failed': [
    [
      { kind: 'compute', name: 'lab-cg', message: 'no quota' },
      'Compute group lab-cg could not be created: no quota',
    ],
  ],
  'fleet.group_deleted': [[group, 'Placement group lab-pg deleted']],
  'fleet.group_abandoned': [
    [
      { ...group, ...placed, id: 'pg-1' },
      'Placement group lab-pg may still exist in aws/eu-west-1 (pg-1): the backend was removed. Delete it at the provider',
    ],
  ],

  'volume.created': [[{ status: 'submitted' }, 'Volume created. Status: SUBMITTED']],
  'volume.status_changed': [
    [
      { from: 'submitted', to: 'failed', message: 'no quota' },
      'Volume status changed SUBMITTED -> FAILED (no quota)',
    ],
    [
      { from: 'provisioning', to: 'active', message: null },
      'Volume status changed PROVISIONING -> ACTIVE',
    ],
  ],
  'volume.problem_reported': [[{ problem: 'it is full' }, 'Volume has a problem: it is full']],
  'volume.problem_resolved': [[none, 'Volume has no problem any more']],
  'volume.attached': [[none, 'Volume attached to instance']],
  'volume.detached': [[none, 'Volume detached from instance']],
  'volume.deletion_requested': [
    [{ by: 'user' }, 'Volume marked for deletion'],
    [{ by: 'auto-cleanup' }, 'Volume marked for deletion due to auto-cleanup'],
  ],
  'volume.deleted': [[none, 'Volume deleted']],
  'volume.data_abandoned': [
    [
      { volume: 'data', id: 'vol-1', backend: 'aws', why: 'its backend was removed' },
      'The data of volume data (vol-1 in aws) may still exist: its backend was removed before they were deleted',
    ],
  ],

  'gateway.created': [[{ status: 'submitted' }, 'Gateway created. Status: SUBMITTED']],
  'gateway.updated': [[{ fields: ['domain'] }, 'Gateway updated. Changed fields: domain']],
  'gateway.status_changed': [
    [
      { from: 'provisioning', to: 'running', message: null },
      'Gateway status changed PROVISIONING -> RUNNING',
    ],
    [
      { from: 'provisioning', to: 'failed', message: 'no capacity' },
      'Gateway status changed PROVISIONING -> FAILED (no capacity)',
    ],
  ],
  'gateway.domain_changed': [
    [{ from: null, to: '*.b.test' }, 'Gateway wildcard domain changed - -> *.b.test'],
    [{ from: '*.a.test', to: '*.b.test' }, 'Gateway wildcard domain changed *.a.test -> *.b.test'],
  ],
  'gateway.domain_unproven': [
    [
      { domain: 'a.test', why: 'Set its record' },
      'The certificate for a.test is being renewed, but the next version of the server refuses it. Set its record',
    ],
  ],
  'gateway.certificate_set': [
    [
      { domain: '*.a.test', until: '2027-01-31' },
      'Gateway certificate set for *.a.test, valid until 2027-01-31',
    ],
  ],
  'gateway.certificate_deleted': [
    [{ domain: '*.a.test' }, 'Gateway certificate deleted for *.a.test'],
  ],
  'gateway.certificate_renewed': [
    [
      certificate,
      'The certificate for a.test has been renewed, and is valid until 2026-09-21 14:13:20 UTC',
    ],
  ],
  'gateway.certificate_ending': [
    [
      { ...certificate, domains: ['a.test', 'b.test'], message: 'no zone' },
      'The certificate for a.test and b.test ends at 2026-09-21 14:13:20 UTC, and has not been renewed: no zone',
    ],
  ],
  'gateway.certificate_expired': [
    [
      { ...certificate, domains: ['a.test', 'b.test', 'c.test'], omitted: 4, message: null },
      'The certificate for a.test, b.test, c.test and 4 more has expired at 2026-09-21 14:13:20 UTC',
    ],
    [
      { ...certificate, expires_at: null, message: 'no zone' },
      'The certificate for a.test has expired: no zone',
    ],
  ],
  'gateway.default_set': [[none, 'Gateway set as project default']],
  'gateway.default_unset': [[none, 'Gateway unset as project default']],
  'gateway.deletion_requested': [[none, 'Gateway marked for deletion']],
  'gateway.deleted': [[none, 'Gateway deleted']],
  'gateway.machine_abandoned': [
    [
      { gateway: 'edge', id: 'i-1', backend: 'aws' },
      'The machine i-1 of gateway edge may still exist: backend aws was removed',
    ],
  ],
  'gateway.replica_created': [
    [{ status: 'submitted' }, 'Gateway replica created. Status: SUBMITTED'],
  ],
  'gateway.replica_cut_off': [
    [
      { gateway: 'edge', replica: 1 },
      'Replica 1 of gateway edge has sent too many messages about runs, projects and users that are not behind it. Its link to the server is closed for a minute. If its host is not yours, delete the gateway; if it is, upgrade the server, which replaces the program of the gateway',
    ],
  ],
  'gateway.replica_not_plain': [
    [
      { gateway: 'edge', replica: 1, why: 'there is no module' },
      'Workers of replica 1 of gateway edge answer all requests, which nginx was to answer itself: there is no module',
    ],
  ],
  'gateway.replica_status_changed': [
    [
      { from: 'running', to: 'terminating', message: 'Scaled in' },
      'Gateway replica status changed RUNNING -> TERMINATING (Scaled in)',
    ],
  ],

  'project.created': [[none, 'Project created']],
  'project.restored': [
    [
      {
        backup_created_at: '2036-01-01T00:00:00.000Z',
        restored_at: '2036-01-02T00:00:00.000Z',
        backup_version: '0.1.0',
      },
      'Database restored at 2036-01-02T00:00:00.000Z from the backup of 2036-01-01T00:00:00.000Z. Changes in between are lost',
    ],
  ],
  'project.updated': [
    [
      { fields: ['is_public', 'templates_repo'] },
      'Project updated. Changed fields: is_public, templates_repo',
    ],
  ],
  'project.deleted': [[none, 'Project deleted']],
  'project.members_set': [[{ members: [], omitted: 0 }, 'Project members updated']],
  'project.members_added': [
    [{ members: [{ username: 'ann', role: 'user' }], omitted: 0 }, 'Project members added'],
  ],
  'project.members_removed': [
    [{ members: [{ username: 'ann', role: 'user' }], omitted: 0 }, 'Project members removed'],
  ],
  'project.orphan_found': [
    [
      { ...orphan, project: 'main', fleet: 'lab', instance: null },
      "Orphaned instance i-1 in aws found: it carries this server's tag (created for project main, fleet lab), but the server has no record of it",
    ],
    [
      { ...orphan, project: null, fleet: null, instance: null },
      "Orphaned instance i-1 in aws found: it carries this server's tag, but the server has no record of it",
    ],
  ],
  'project.orphan_settled': [
    [{ ...orphan, how: 'accounted_for' }, 'Orphaned instance i-1 in aws is accounted for again'],
    [{ ...orphan, how: 'terminated' }, 'Orphaned instance i-1 in aws terminated by the server'],
    [{ ...orphan, how: 'disappeared' }, 'Orphaned instance i-1 in aws no longer exists'],
  ],

  'backend.created': [[{ backend: 'aws' }, 'Backend aws created']],
  'backend.updated': [
    [
      { backend: 'aws', fields: ['regions', 'creds'] },
      'Backend aws updated. Changed fields: regions, creds',
    ],
  ],
  'backend.deleted': [[{ backend: 'aws' }, 'Backend aws deleted']],
  'service_token.created': [[{ name: 'ci', scope: 'user' }, "Service token 'ci' created"]],
  'service_token.deleted': [[{ name: 'ci' }, "Service token 'ci' deleted"]],
  'export.created': [[{ name: 'shared' }, "Export 'shared' created"]],
  'export.updated': [[{ name: 'shared' }, "Export 'shared' updated"]],
  'export.deleted': [[{ name: 'shared' }, "Export 'shared' deleted"]],
  'import.deleted': [[{ name: 'main/shared' }, "Import 'main/shared' deleted"]],
  'quota.applied': [
    [{ fleet: null, user: null }, 'Quota set'],
    [
      {
        ...{ fleet: 'lab/hosts', user: 'ann' },
        changes: [
          { field: 'limit', before: null, after: { gpu: 8 } },
          { field: 'weight', before: 2, after: null },
        ],
      },
      'Quota of user ann on fleet lab/hosts set: limit none -> {gpu:8}, weight 2 -> none',
    ],
  ],
  'quota.deleted': [[{ fleet: null, user: '*' }, 'Quota of each user deleted']],
  'secret.created': [[none, 'Secret created']],
  'secret.updated': [[none, 'Secret updated']],
  'secret.deleted': [[none, 'Secret deleted']],

  'request.refused': [
    [
      { endpoint: 'secrets.delete', reason: 'this needs the role manager' },
      'Request secrets.delete refused: this needs the role manager',
    ],
  ],

  'user.created': [[{ global_role: 'user' }, 'User created']],
  'user.updated': [
    [{ fields: ['globalRole', 'active'] }, 'User updated. Changed fields: globalRole, active'],
  ],
  'user.deleted': [[none, 'User deleted']],
  'user.token_refreshed': [[none, 'User token refreshed']],
  'user.ssh_key_refreshed': [[none, 'User SSH key refreshed']],
  'user.public_key_added': [[{ fingerprint: 'SHA256:abc' }, 'Public key SHA256:abc added']],
  'user.public_key_deleted': [[{ fingerprint: 'SHA256:abc' }, 'Public key SHA256:abc deleted']],
};

describe('the text of an event', () => {
  it.each(
    EVENT_ACTIONS.flatMap((action) =>
      TEXTS[action].map(([data, text]) => [action, data, text] as const),
    ),
  )('%s %j', (action, data, text) => {
    expect(eventMessage({ action, data } as NewEvent)).toBe(text);
  });

  it('has one line, and no dot at the end', () => {
    const stage = 'Pulling.\n\n It takes long.. ';
    const event = recordEvent({ action: 'instance.provisioning', data: { stage }, targets: [] });
    expect(eventMessage(event)).toBe('Instance is being provisioned: Pulling. It takes long');
  });
});

it('an event without an actor or an outcome is something that the server did', () => {
  const event = recordEvent({ action: 'run.deleted', targets: [] });
  expect(event).toEqual({
    ...{ action: 'run.deleted', data: {}, outcome: 'done', actor: null, targets: [] },
  });
});

it('the type of an event refuses the data of another action, and a text', () => {
  // @ts-expect-error: these are the data of another action.
  recordEvent({ action: 'run.submitted', data: { query: 'up' }, targets: [] });
  // @ts-expect-error: this action has data.
  recordEvent({ action: 'run.submitted', targets: [] });
  // @ts-expect-error: only rows of earlier versions have a text of their own.
  recordEvent({ action: 'legacy', data: { text: 'Anything' }, targets: [] });
});
