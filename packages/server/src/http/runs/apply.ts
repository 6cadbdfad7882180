/** Submits a run, or updates the active one of its name. */
import { setImmediate } from 'node:timers/promises';
import { isPublicKeyLine } from '@dstack/contract';
import { type ApplyRunPlanRequest, notExists, ruleError } from '@dstack/contract/api';
import { isRunFinished } from '@dstack/contract/status';
import type { Run, RunSpec } from '@dstack/contract/wire';
import {
  arrayOf,
  buildJobSpecs,
  type Change,
  desiredAfterUpdate,
  diffRunSpecs,
  fieldChanges,
  indexesOf,
  memberSpec,
  type RunRecord,
  type RunSnapshot,
  type RunSpecDiff,
  recordEvent,
  runTarget,
  sameRunSpec,
  startedRollout,
  withStoredKeys,
} from '@dstack/core';
import type { ProjectRecord, UserRecord } from '@dstack/store';
import { newNodeKey } from '../../keys/node-key.ts';
import { actorOf } from '../event-actor.ts';
import { mapInTurns } from '../in-turns.ts';
import { wireRun } from '../mapping/run.ts';
import type { HttpDeps } from '../ports.ts';
import { randomName } from '../random-name.ts';
import { repoDoesNotExist } from '../repos/service.ts';
import { mostAtOnce } from './arrays.ts';
import { upstreamNames } from './dependencies.ts';
import { effectiveRunSpec } from './effective-spec.ts';
import { knownImages } from './known-images.ts';
import { newRun } from './new-run.ts';
import { checkQuotas } from './quotas.ts';
import { type ServicePlace, servicePlace } from './service-spec.ts';
import { type UpdatedService, updatedService } from './updated-service.ts';

export async function applyRun(
  deps: HttpDeps,
  project: ProjectRecord,
  user: UserRecord,
  request: ApplyRunPlanRequest,
  isOurs = true,
): Promise<Run> {
  const spec = await effectiveRunSpec(deps, project, user, request.plan.run_spec);
  checkPublicKey(spec.ssh_key_pub);
  const active = await activeRunId(deps, project, spec.run_name);
  if (active !== null) await checkArchives(deps, user, spec, active);
  const updated =
    active !== null && (await update(deps, project, active, { spec, request, user, isOurs }));
  return await wireOf(deps, updated ? active : await submitNew(deps, project, user, spec, null));
}

/** The run as the API answers a request that has written it. */
export async function wireOf(deps: HttpDeps, id: string): Promise<Run> {
  const view = await deps.store.runs.byId(id);
  if (view === null) throw notExists('Run not found');
  // Lets other requests run: storing and reading hundreds of jobs took time, and showing them will.
  await setImmediate();
  return wireRun(view, {
    now: deps.context().now,
    entry: deps.settings.sshEntry,
    origins: deps.settings.serviceOrigins,
  });
}

/**
 * It becomes a line of `authorized_keys`. Plans accept any value: searches for offers have none.
 */
export function checkPublicKey(key: string | null): void {
  if (key === null || isPublicKeyLine(key)) return;
  throw ruleError('`ssh_key_pub` must be one public key in the format of OpenSSH: one line');
}

async function activeRunId(
  deps: HttpDeps,
  project: ProjectRecord,
  name: string | null,
): Promise<string | null> {
  if (name === null) return null;
  const [run] = await deps.store.runs.byNames(project.id, [name]);
  return run === undefined || isRunFinished(run.status) ? null : run.id;
}

/** False: the run has finished meanwhile, a new one can take its name. */
async function update(
  deps: HttpDeps,
  project: ProjectRecord,
  id: string,
  sent: Update,
): Promise<boolean> {
  const before = await deps.store.runs.byId(id);
  if (before === null) return false;
  const spec = sent.isOurs ? sent.spec : withStoredKeys(sent.spec, before.run.spec);
  const wanted = { ...sent, spec };
  checkUpdate(before.run, wanted);
  const place = await updatedService(deps, project, before.run, wanted.spec);
  let isUpdated = false;
  await deps.store.engine.updateRun(
    id,
    (snapshot) => {
      isUpdated = !isRunFinished(snapshot.run.status);
      if (!isUpdated) return null;
      const changes = updateChanges(snapshot, wanted, place.set());
      return { changes, signals: [{ kind: 'run', id }] };
    },
    place.guard,
  );
  return isUpdated;
}

interface Update {
  readonly spec: RunSpec;
  readonly request: ApplyRunPlanRequest;
  readonly user: UserRecord;
  /** Whether it comes from a client that has all of our keys. */
  readonly isOurs: boolean;
}

/** Throws `ApiError` if the run cannot be updated in place. */
function checkUpdate(run: RunRecord, { spec, request }: Update): RunSpecDiff {
  const diff = diffRunSpecs(run.spec, spec);
  if (!diff.updatable) {
    const why = diff.reason === null ? '' : ` ${diff.reason}`;
    throw ruleError(`Cannot override active run. Stop the run first.${why}`);
  }
  const seen = request.plan.current_resource;
  const isCurrent = seen?.id === run.id && sameRunSpec(seen.run_spec, run.spec);
  if (!request.force && !isCurrent) {
    throw ruleError(
      'Failed to apply plan. Resource has been changed. Try again or use force apply.',
    );
  }
  return diff;
}

function updateChanges(
  { run }: Pick<RunSnapshot, 'run'>,
  wanted: Update,
  place: ReturnType<UpdatedService['set']>,
): Change[] {
  const { spec, user } = wanted;
  const diff = checkUpdate(run, wanted);
  const deploymentNum = run.deploymentNum + 1;
  const set = {
    ...place,
    spec,
    deploymentNum,
    priority: spec.configuration.priority ?? 0,
    desiredReplicas: desiredAfterUpdate(run, spec),
    rollout: startedRollout(run, deploymentNum),
  };
  const changes = fieldChanges(diff.changed, run.spec, spec);
  const event = recordEvent({
    action: 'run.updated',
    data: { deployment: deploymentNum, fields: diff.changed, changes },
    ...{ targets: [runTarget(run)], actor: actorOf(user) },
  });
  return [
    { type: 'run.update', id: run.id, version: run.version, set },
    { type: 'event', event },
  ];
}

/** Returns the id of the new run. `from`: the run whose archives it may have, whichever user uploaded them. */
export async function submitNew(
  deps: HttpDeps,
  project: ProjectRecord,
  user: UserRecord,
  spec: RunSpec,
  from: string | null,
): Promise<string> {
  await ensureRepo(deps, project, spec);
  await checkArchives(deps, user, spec, from);
  const { configuration } = spec;
  const place: ServicePlace | null =
    configuration.type === 'service' ? await servicePlace(deps, project, configuration) : null;
  await checkQuotas(deps, project, user, spec);
  const images = await knownImages(deps, project.id, spec);
  const { now, newId } = deps.context();
  const most = deps.settings.waitingRunsPerUser;
  const adding = mostAtOnce(spec);
  await checkMembers(deps, spec);
  const outcome = await deps.store.engine.submitRun({
    projectId: project.id,
    name: spec.run_name === null ? { base: randomName() } : { exact: spec.run_name },
    gateway: place?.guard ?? null,
    ...(most > 0 && { limit: { userId: user.id, most } }),
    userId: user.id,
    adding,
    upstreams: upstreamNames(spec),
    build: (name, upstreams) =>
      newRun(
        name,
        {
          projectId: project.id,
          actor: actorOf(user),
          spec,
          now,
          newId,
          jobSettings: deps.settings.jobSpecs,
          images,
          newSshKey: () => newNodeKey(deps.store.cipher),
          serviceSpec: place?.specOf ?? null,
          gatewayId: place?.gatewayId ?? null,
        },
        upstreams,
      ),
    superseded: (run) =>
      recordEvent({ action: 'run.deleted', targets: [runTarget(run)], actor: actorOf(user) }),
  });
  switch (outcome.type) {
    case 'submitted':
      return outcome.run.id;
    case 'name-taken':
      throw ruleError(nameTaken(spec.run_name, outcome.active));
    case 'quota-of-waiting':
      throw ruleError(
        `Quota: ${runs(outcome.waiting)} of ${outcome.of === 'user' ? `the user '${user.name}'` : `project '${project.name}'`} ${outcome.waiting === 1 ? 'waits' : 'wait'} without a running job${more(adding)}, and the quota allows ${outcome.most} in project '${project.name}'. ${fewer(outcome.waiting)}`,
      );
    case 'too-many-waiting':
      throw ruleError(
        `The user '${user.name}' has ${runs(outcome.waiting)} without a running job${more(adding)}, and this server allows ${most} (DSTACK_SERVER_MAX_WAITING_RUNS_PER_USER). ${fewer(outcome.waiting)}`,
      );
  }
}

const runs = (count: number): string => `${count} ${count === 1 ? 'run' : 'runs'}`;

/** The next step; an array may be refused while no run waits. */
function fewer(waiting: number): string {
  if (waiting === 0) return 'Submit fewer at one time';
  return waiting === 1
    ? 'Wait until it runs, or stop it'
    : 'Wait until some of them run, or stop some';
}

/** An array counts as the number of its members that may wait at one time. */
const more = (adding: number): string =>
  adding === 1 ? '' : `, this array may add ${adding} (\`array.max_parallel\` makes them fewer)`;

function nameTaken(name: string | null, active: RunRecord): string {
  const text = 'Cannot override active run. Stop the run first.';
  if (active.name === name) return text;
  return name !== null && active.name.startsWith(`${name}-`)
    ? `${text} Run ${active.name} has the name of a member of the array ${name}`
    : `${text} ${name} is the name of a member of the array ${active.name}`;
}

/**
 * Their jobs are made when they are born: what could not be made is refused now. All are looked at where values stand
 * in the entrypoint, which is split like a line of a shell: nothing else differs in whether a job can be made.
 */
async function checkMembers(deps: HttpDeps, spec: RunSpec): Promise<void> {
  const array = arrayOf(spec);
  if (array === null) return;
  const isEach = spec.configuration.entrypoint?.includes('${{') ?? false;
  const indexes = indexesOf(array);
  await mapInTurns(isEach ? indexes : indexes.slice(0, 1), (index) => {
    const built = buildJobSpecs(memberSpec(spec, index), {
      ...{ runName: 'member', replicaNum: 0, replicaGroup: '0' },
      settings: deps.settings.jobSpecs,
    });
    if (!built.ok) throw ruleError(isEach ? `Member ${index}: ${built.message}` : built.message);
  });
}

/** A run without a repo has a virtual one, which is created on first use. */
async function ensureRepo(deps: HttpDeps, project: ProjectRecord, spec: RunSpec): Promise<void> {
  const { repo_id: repoId, repo_data: data } = spec;
  if (repoId === null || data === null) return;
  const isKnown = (await deps.store.repos.byRepoId(project.id, repoId)) !== null;
  if (isKnown) return;
  if (data.repo_type === 'virtual') {
    const info = { repo_type: 'virtual' as const };
    await deps.store.repos.upsert({
      id: deps.context().newId(),
      projectId: project.id,
      repoId,
      info,
    });
    return;
  }
  throw repoDoesNotExist(repoId);
}

/**
 * The caller must have uploaded the archives, unless the run to be updated or run again already has
 * them. Archives of others count as missing.
 */
async function checkArchives(
  deps: HttpDeps,
  user: UserRecord,
  spec: RunSpec,
  from: string | null,
): Promise<void> {
  const ids = [...new Set(spec.file_archives.map((archive) => archive.id))];
  if (ids.length === 0) return;
  const found = await deps.store.files.archivesByIds(ids);
  const usable = new Set(found.filter(({ userId }) => userId === user.id).map(({ id }) => id));
  const run = from === null ? null : await deps.store.runs.byId(from);
  for (const { id } of run?.run.spec.file_archives ?? []) usable.add(id);
  const missing = ids.filter((id) => !usable.has(id));
  if (missing.length > 0) throw notExists(`Archives not found: ${missing.join(', ')}`);
}
