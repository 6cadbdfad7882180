/**
 * Explains the state of a run, instance, fleet, volume or gateway, and how to change it: one answer
 * for the command line, the web UI and programs. An addition of ours: dstack 0.22.5 has none.
 */
import * as z from 'zod';
import { BackendType } from './backend.ts';
import { Event } from './event.ts';
import { RULES } from './refusal.ts';
import {
  choiceOf,
  DateTime,
  Flag,
  Float,
  Integer,
  listOf,
  model,
  nullable,
  Text,
  Uuid,
} from './scalars.ts';

/** The kinds of subjects: path segment and name. */
export const EXPLAIN_KINDS = {
  runs: 'run',
  jobs: 'job',
  instances: 'instance',
  fleets: 'fleet',
  services: 'service',
  volumes: 'volume',
  gateways: 'gateway',
} as const;
/** The path segment. */
export type ExplainKind = keyof typeof EXPLAIN_KINDS;

/** Rules beyond those of placement (`RULES`); both together are a closed list. */
export const STATE_RULES = [
  // Before a run is in the queue.
  'held',
  'dependency',
  'schedule',
  'retry_delay',
  'crash_loop',
  'scaled_to_zero',
  'submitting',
  // Its place in the queue, and what its project may use.
  'queue',
  'share',
  'borrowed',
  'preempting',
  'quota',
  'placing',
  'array',
  'no_fleets',
  'fleets_missing',
  'fleet_deleted',
  'other_fleet',
  // Offers of backends.
  'no_backends',
  'backend_refused',
  'backend_timeout',
  'backend_error',
  'backend_empty',
  'no_quota',
  'local_off',
  // On the way to a running process.
  'creating',
  'provisioning',
  'attaching',
  'deploying',
  'starting',
  'pulling',
  'other_nodes',
  'leaving',
  'probes',
  // The host names of a service on a gateway.
  'certificate',
  // The number of replicas of a service.
  'scaling',
  // On the way to the end, and the end.
  'draining',
  'stopping',
  'detaching',
  'log_wait',
  'retry_limit',
  'ended',
  // Instances, fleets, volumes and gateways.
  'idle',
  'nodes.min',
  'health_warning',
  'consolidation',
  'creation_failed',
  'terminating',
  'in_use',
  'failed',
] as const;
export const ExplainRule = choiceOf([...RULES, ...STATE_RULES]);
export type ExplainRule = z.infer<typeof ExplainRule>;

/** The situation in one word; the same words for all kinds of subject. */
export const EXPLAIN_STATES = [
  'held',
  'scheduled',
  'scaled_to_zero',
  'retrying',
  'waiting',
  'creating',
  'starting',
  'running',
  'not_ready',
  'degraded',
  'unreachable',
  'idle',
  'busy',
  'active',
  'stopping',
  'failed',
  'ended',
] as const;
export const ExplainState = choiceOf(EXPLAIN_STATES);
export type ExplainState = z.infer<typeof ExplainState>;

/** `status`: the status that lists show. */
export const ExplainSubject = model({
  kind: choiceOf(Object.values(EXPLAIN_KINDS)),
  name: Text,
  id: Uuid,
  project_name: Text,
  status: Text,
});
export type ExplainSubject = z.infer<typeof ExplainSubject>;

/**
 * One reason. `part`: the job or instance concerned, null = the whole subject. `until`: when it
 * changes without further action (a deadline, the next attempt), null = unknown. `attempt`: the
 * current or next one, counted from 1; the last one if no more follow.
 */
export const ExplainReason = model({
  rule: ExplainRule,
  part: nullable(Text),
  asked: nullable(Text),
  has: nullable(Text),
  count: nullable(Integer),
  since: nullable(DateTime),
  until: nullable(DateTime),
  attempt: nullable(Integer),
  text: Text,
});
export type ExplainReason = z.infer<typeof ExplainReason>;

/** A job of a run or an instance of a fleet. `rule` null: nothing is wrong. */
export const ExplainPart = model({
  kind: choiceOf(['job', 'instance']),
  name: Text,
  status: Text,
  state: ExplainState,
  rule: nullable(ExplainRule),
  since: nullable(DateTime),
  until: nullable(DateTime),
  attempt: nullable(Integer),
  text: Text,
});
export type ExplainPart = z.infer<typeof ExplainPart>;

/**
 * `never`: ruled out by the configuration, whatever becomes free. `full`: possible once something
 * becomes free, reachable or available. `free`: possible now.
 */
export const ExplainVerdict = choiceOf(['never', 'full', 'free']);
export type ExplainVerdict = z.infer<typeof ExplainVerdict>;

/**
 * One rule that applies to a fleet, to one of its instances, or to a backend's offers for it. A row of
 * kind `fleet` has the verdict on the whole fleet, and why it gets no new instance. A row of kind
 * `instance` without `instance` stands for `count` more instances. The server's machine has `backend`
 * `remote` and `region` `local`. `count`: instances or offers that the rule applies to. `offer`,
 * `price`: the cheapest offer that fails only this rule. `holder`: the runs that use the capacity.
 */
export const Considered = model({
  kind: choiceOf(['fleet', 'instance', 'offers']),
  fleet: nullable(Text),
  instance: nullable(Text),
  backend: nullable(BackendType),
  region: nullable(Text),
  offer: nullable(Text),
  price: nullable(Float),
  verdict: ExplainVerdict,
  rule: nullable(ExplainRule),
  asked: nullable(Text),
  has: nullable(Text),
  count: nullable(Integer),
  holder: nullable(Text),
  text: Text,
});
export type Considered = z.infer<typeof Considered>;

/** The answers of fleets to a run that is not submitted yet, first that of the fleet that would take it. */
export const PlanExplanation = model({ considered: listOf(Considered) });
export type PlanExplanation = z.infer<typeof PlanExplanation>;

/** Replaces the name of a run that the caller may not see. */
export const HIDDEN_RUN = 'a run of another project';

/**
 * A run that is placed first. `project` null: the subject's project. `keeps`: the fleet in which
 * capacity is reserved for it that the subject could use; null = it is only ahead in the queue.
 */
export const AheadRun = model({
  run: Text,
  project: nullable(Text),
  priority: nullable(Integer),
  since: nullable(DateTime),
  keeps: nullable(Text),
});
export type AheadRun = z.infer<typeof AheadRun>;

/**
 * `value`: lines for a configuration. Placement has verified changes of requirements, prices,
 * locations and fleet sizes against the present capacity.
 */
export const Fix = model({ text: Text, command: nullable(Text), value: nullable(Text) });
export type Fix = z.infer<typeof Fix>;

/**
 * `waiting_for`: the rule of the first reason, null if the subject does not wait; `since`, `until`
 * and `attempt` are those of that reason. `position`: among runs with equal requirements, from 1;
 * `ahead`: some of the runs before it. `expected_start`: when a waiting run is expected to start, null =
 * not known; `is_about`: that is an estimate, and no promise. `events`: the latest ones, oldest first.
 */
export const Explanation = model({
  subject: ExplainSubject,
  state: ExplainState,
  summary: Text,
  waiting_for: nullable(ExplainRule),
  since: nullable(DateTime),
  until: nullable(DateTime),
  attempt: nullable(Integer),
  position: nullable(Integer),
  expected_start: nullable(DateTime),
  is_about: Flag.default(false),
  ahead: listOf(AheadRun),
  reasons: listOf(ExplainReason),
  parts: listOf(ExplainPart),
  considered: listOf(Considered),
  fixes: listOf(Fix),
  events: z.array(Event),
});
export type Explanation = z.infer<typeof Explanation>;
