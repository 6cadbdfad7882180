/**
 * Why something is as it is, and what changes that: one answer for the command line, the web UI and
 * programs. Ours: dstack 0.22.5 has nothing like it.
 */
import * as z from 'zod';
import { BackendType } from './backend.ts';
import { Event } from './event.ts';
import { RULES } from './refusal.ts';
import { DateTime, Float, Integer, listOf, model, nullable, Text, Uuid, words } from './scalars.ts';

/** The kinds of subjects: their word in the path, and their name. */
export const EXPLAIN_KINDS = {
  runs: 'run',
  jobs: 'job',
  instances: 'instance',
  fleets: 'fleet',
  services: 'service',
  volumes: 'volume',
  gateways: 'gateway',
} as const;
/** The word in the path. */
export type ExplainKind = keyof typeof EXPLAIN_KINDS;

/** Rules beyond those of placement (`RULES`); both together are a closed list. */
export const STATE_RULES = [
  // Before a run asks for a place.
  'schedule',
  'retry_delay',
  'crash_loop',
  'scaled_to_zero',
  'submitting',
  // Its place in the queue.
  'queue',
  'placing',
  'no_fleets',
  'fleets_missing',
  'fleet_deleted',
  'other_fleet',
  // What a backend has for it.
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
  'deploying',
  'starting',
  'pulling',
  'other_nodes',
  'probes',
  // On the way to the end, and the end.
  'draining',
  'stopping',
  'log_wait',
  'retry_limit',
  'ended',
  // Instances, fleets, volumes and gateways.
  'idle',
  'nodes.min',
  'consolidation',
  'creation_failed',
  'terminating',
  'in_use',
  'failed',
] as const;
export const ExplainRule = words([...RULES, ...STATE_RULES]);
export type ExplainRule = z.infer<typeof ExplainRule>;

/** The situation in one word; the same words for all kinds of subject. */
export const EXPLAIN_STATES = [
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
export const ExplainState = words(EXPLAIN_STATES);
export type ExplainState = z.infer<typeof ExplainState>;

/** `status`: the status that lists show. */
export const ExplainSubject = model({
  kind: words(Object.values(EXPLAIN_KINDS)),
  name: Text,
  id: Uuid,
  project_name: Text,
  status: Text,
});
export type ExplainSubject = z.infer<typeof ExplainSubject>;

/**
 * One reason. `part`: the job or instance that it is about, null = all of the subject. `until`: the
 * moment at which it changes by itself (a deadline, the next attempt); null = only something else
 * changes it. `attempt`: the one under way or to come, from 1, and the last one where none comes.
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
  kind: words(['job', 'instance']),
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
 * `never`: not as it is configured, whatever becomes free. `full`: as soon as something is free,
 * usable again or offered. `free`: it fits now.
 */
export const ExplainVerdict = words(['never', 'full', 'free']);
export type ExplainVerdict = z.infer<typeof ExplainVerdict>;

/**
 * One rule that applies to a fleet, to one of its instances, or to what a backend offers for it.
 * `fleet`: the verdict on the fleet as a whole, and why it gets no new instance. `instance` null in a
 * row of that kind: `count` more of them. `backend` of the server's machine is `remote`, `region`
 * then `local`. `count`: instances or offers under the rule. `offer` and `price`: the cheapest of the
 * offers that fails this rule alone. `holder`: the runs that hold what is not free.
 */
export const Considered = model({
  kind: words(['fleet', 'instance', 'offers']),
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

/** Stands for the name of a run that the caller may not see. */
export const HIDDEN_RUN = 'a run of another project';

/**
 * A run that is served first. `project` null: that of the subject. `keeps`: the fleet in which it
 * keeps what the subject could use; null = it only asks for the same and is more urgent.
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
 * `value`: lines for a configuration. Changed requirements, prices, places and fleet sizes were tried
 * on what is there now.
 */
export const Fix = model({ text: Text, command: nullable(Text), value: nullable(Text) });
export type Fix = z.infer<typeof Fix>;

/**
 * `waiting_for`: the rule of the first reason, null where nothing is waited for; `since`, `until`
 * and `attempt` are that reason's. `position`: in the queue of those that ask for the same, from 1;
 * `ahead`: some of those before it. `events`: the last ones, oldest first.
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
  ahead: listOf(AheadRun),
  reasons: listOf(ExplainReason),
  parts: listOf(ExplainPart),
  considered: listOf(Considered),
  fixes: listOf(Fix),
  events: z.array(Event),
});
export type Explanation = z.infer<typeof Explanation>;
