import { notExists } from '@dstack/contract/api';
import { isRunFinished } from '@dstack/contract/status';
import type { Explanation } from '@dstack/contract/wire';
import {
  type BackendsState,
  type Diagnosis,
  type ExplainedRun,
  explainJob,
  explainRun,
  type RunRecord,
  withHostNames,
  withPastTimes,
} from '@dstack/core';
import type { HttpDeps } from '../ports.ts';
import { withAvoided } from './avoided.ts';
import { hostNameProblems } from './host-names.ts';
import {
  type Asker,
  explainContext,
  explanation,
  onTarget,
  subjectOf,
  withOffers,
} from './service.ts';

export async function explainRunNamed(
  deps: HttpDeps,
  asker: Asker,
  name: string,
): Promise<Explanation> {
  return await assessRun(deps, asker, await runNamed(deps, asker, name, 'Run'), 'run');
}

export async function explainServiceNamed(
  deps: HttpDeps,
  asker: Asker,
  name: string,
): Promise<Explanation> {
  const found = await runNamed(deps, asker, name, 'Service');
  const { type } = found.input.run.run.spec.configuration;
  if (type !== 'service')
    throw notExists(`Service ${name} not found: the run ${name} is a ${type}`);
  return await assessRun(deps, asker, found, 'service');
}

async function assessRun(
  deps: HttpDeps,
  asker: Asker,
  { input, backends }: FoundRun,
  kind: 'run' | 'service',
): Promise<Explanation> {
  const ctx = await explainContext(deps, asker);
  const { run } = input.run;
  const diagnosis = await withOffers(deps, run.projectId, (answers) =>
    explainRun(input, backends, answers, ctx),
  );
  const within = { within: { kind: 'run', ids: [run.id] } } as const;
  // Only services have requests.
  const avoided = run.spec.configuration.type === 'service' ? deps.avoided : undefined;
  const shown = await withAvoided(diagnosis, input.run.jobs, avoided);
  const named = await withNames(deps, asker, run, shown);
  return await explanation(deps, asker, subjectOf(kind, run), named, within);
}

/** Adds whether clients reach a service on a gateway at its host names. */
async function withNames(
  deps: HttpDeps,
  { project }: Asker,
  run: RunRecord,
  diagnosis: Diagnosis,
): Promise<Diagnosis> {
  if (run.gatewayId === null || isRunFinished(run.status)) return diagnosis;
  const gateway = await deps.store.gateways.byId(run.gatewayId);
  if (gateway === null) return diagnosis;
  const problems = await hostNameProblems(deps, { run, project, gateway });
  return withHostNames(diagnosis, run, { reports: gateway.reports, problems });
}

/** Names of jobs: `<run>-<job>-<replica>`. */
const JOB_NAME = /^(.+)-(\d+)-(\d+)$/;

export async function explainJobNamed(
  deps: HttpDeps,
  asker: Asker,
  name: string,
): Promise<Explanation> {
  const [, runName = '', job = '', replica = ''] = JOB_NAME.exec(name) ?? [];
  const { input, backends } = await runNamed(deps, asker, runName, 'Job', name);
  const { run } = input.run;
  const ctx = await explainContext(deps, asker);
  const own = input.run.jobs.filter(
    ({ replicaNum, jobNum }) => replicaNum === Number(replica) && jobNum === Number(job),
  );
  const latest = own.at(-1);
  if (!latest) throw notExists(`Job ${name} not found`);
  const diagnosis = await withOffers(deps, run.projectId, (answers) =>
    explainJob(input, latest, backends, answers, ctx),
  );
  return await explanation(
    deps,
    asker,
    subjectOf('job', latest),
    diagnosis,
    onTarget('job', ...own.map((one) => one.id)),
  );
}

interface FoundRun {
  readonly input: ExplainedRun;
  readonly backends: BackendsState;
}

/** A job over its log quota is ended by the next pass: nothing that an explanation has to know. */
const MEMORY = { overQuota: new Map<string, string>() };

async function runNamed(
  { store, backends: states, context }: HttpDeps,
  { project }: Asker,
  runName: string,
  what: string,
  name = runName,
): Promise<FoundRun> {
  const [run] = await store.runs.byNames(project.id, [runName]);
  const backends = await states.state(project.id);
  const loaded = run ? await store.engine.loadExplainedRun(run.id, backends.hints, MEMORY) : null;
  if (loaded === null) throw notExists(`${what} ${name} not found`);
  const ctx = context();
  const times = { run: withPastTimes(loaded.run, ctx), queue: withPastTimes(loaded.queue, ctx) };
  return { input: { ...loaded, ...times }, backends };
}
