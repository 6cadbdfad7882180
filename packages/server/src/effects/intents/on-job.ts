/** The common part of effects on a job that its agent carries out. */
import type {
  InstanceRecord,
  IntentKind,
  IntentOf,
  IntentRecord,
  IntentResult,
  Signal,
} from '@dstack/core';
import type { JobView, Store } from '@dstack/store';
import { type AgentClient, AgentRefusal } from '../../hosts/agent-client.ts';
import type { EffectsOptions } from '../effects.ts';
import { NotNow } from '../not-now.ts';
import type { EffectHandler } from './descriptor.ts';

export const ON_JOB = { subject: 'job', queue: 'job', hostOf: hostOfJob, wakes: wakeRun } as const;

/** The records and connections of an effect on a job. */
export interface JobEffect<K extends IntentKind> {
  readonly effects: EffectsOptions;
  readonly agent: AgentClient;
  readonly view: JobView;
  readonly instance: InstanceRecord;
  readonly intent: IntentOf<K>;
}

/** Finds the agent of the job's instance. A deleted job needs no effect. */
export function byAgent<K extends IntentKind>(
  effect: (job: JobEffect<K>) => Promise<void>,
): EffectHandler<K> {
  return withAgent(async (job) => {
    await effect(job);
    return { kind: 'ok' };
  });
}

/** Works like `byAgent`, for an effect that its agent may refuse. */
export function withAgent<K extends IntentKind>(
  effect: (job: JobEffect<K>) => Promise<IntentResult>,
): EffectHandler<K> {
  return async (effects, intent) => {
    const view = await effects.store.jobs.byId(intent.subjectId);
    if (!view) return { kind: 'ok' };
    const instance = await instanceOf(effects.store, view);
    if (!instance?.hostId) throw new NotNow('the job has no host yet');
    const agent = agentOf(effects, instance.hostId);
    return await effect({ effects, agent, view, instance, intent });
  };
}

export function agentOf({ hosts }: EffectsOptions, hostId: string): AgentClient {
  const agent = hosts.client(hostId);
  if (!agent) throw new NotNow(`no link to host ${hostId}`);
  return agent;
}

/** A job that is unknown to the agent needs no stop. */
export async function ignoringUnknown(command: Promise<unknown>): Promise<void> {
  try {
    await command;
  } catch (error) {
    if (!(error instanceof AgentRefusal && error.code === 'unknown_job')) throw error;
  }
}

async function hostOfJob(store: Store, { subjectId }: IntentRecord): Promise<string | null> {
  const view = await store.jobs.byId(subjectId);
  return (view && (await instanceOf(store, view))?.hostId) ?? null;
}

async function instanceOf(store: Store, { job }: JobView): Promise<InstanceRecord | null> {
  if (job.instanceId === null) return null;
  return (await store.instances.byId(job.instanceId))?.instance ?? null;
}

async function wakeRun(store: Store, { subjectId }: IntentRecord): Promise<Signal[]> {
  const id = await store.jobs.runOf(subjectId);
  return id === null ? [] : [{ kind: 'run', id }];
}
