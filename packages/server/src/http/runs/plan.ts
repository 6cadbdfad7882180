/** The plan of a run. */
import type { GetRunPlanRequest } from '@dstack/contract/api';
import { isRunFinished } from '@dstack/contract/status';
import {
  formatOptionalTimestamp,
  type JobSpec,
  type RunPlan,
  type RunSpec,
  type ServiceConfiguration,
} from '@dstack/contract/wire';
import {
  arrayOf,
  borrowing,
  type ClaimState,
  EVERYTHING,
  hasPriorityPreemption,
  isAnyGuaranteed,
  type OffersWanted,
  type PlanInput,
  type PlannedJob,
  type PlannedOutlook,
  placeInQueue,
  planRun as plan,
  planWantsOffers,
  type ReservedShare,
  runPlanAction,
  withBackends,
  withPastTimes,
  withStoredKeys,
} from '@dstack/core';
import type { GatewayView, ProjectRecord, RunView, UserRecord } from '@dstack/store';
import {
  findUsable,
  referenceOf,
  serviceRefusal,
  usableDefault,
} from '../gateways/usable-gateway.ts';
import { isLocalProcess, withPortsBeside } from '../mapping/local-ports.ts';
import { plannedOffer } from '../mapping/offer.ts';
import { wireRun } from '../mapping/run.ts';
import type { HttpDeps } from '../ports.ts';
import { visibleProjects } from '../visible-projects.ts';
import { customHostsRefusal } from './custom-hosts.ts';
import { dependencyNote, upstreamNames } from './dependencies.ts';
import { effectiveRunSpec } from './effective-spec.ts';
import { mirrorNotes } from './mirror-notes.ts';
import { planInput } from './plan-input.ts';
import { HOSTS_NEED_GATEWAY } from './service-spec.ts';

export async function getRunPlan(
  deps: HttpDeps,
  project: ProjectRecord,
  user: UserRecord,
  request: GetRunPlanRequest,
  isOurs = true,
): Promise<RunPlan> {
  const sent = await effectiveRunSpec(deps, project, user, request.run_spec);
  const name = sent.run_name;
  const current = name === null ? null : await deps.store.runs.byName(project.id, name);
  const isUpdate = current !== null && !isRunFinished(current.run.status);
  const effective = isUpdate && !isOurs ? withStoredKeys(sent, current.run.spec) : sent;
  const waitsFor = isUpdate ? null : await dependencyNote(deps, project, sent);
  const options = {
    maxOffers: request.max_offers,
    reverseOffers: request.reverse_offers,
    fullOffers: request.full_offers,
    unallocatedResources: request.unallocated_resources,
    forOffersOnly: request.for_offers_only,
    groupNodes: isOurs,
  };
  const input = await planInput(deps, project, effective, options, occupiedFleet(current), user.id);
  const { planned, notes } = await answeredPlan(deps, input);
  // Members of arrays, and runs that depend on others, wait without `retry` too.
  const waits = arrayOf(effective) !== null || upstreamNames(effective).length > 0;
  return {
    project_name: project.name,
    user: user.name,
    run_spec: request.run_spec,
    effective_run_spec: effective,
    job_plans: planned.jobPlans.map((job) => ({
      job_spec: { ...plannedSpec(job), ssh_key: null },
      offers: job.offers.map((offer) => plannedOffer(offer)),
      total_offers: job.total_offers,
      max_price: job.max_price,
    })),
    current_resource:
      current &&
      wireRun(current, {
        now: deps.context().now,
        entry: deps.settings.sshEntry,
        origins: deps.settings.serviceOrigins,
      }),
    action: runPlanAction(current && { finished: !isUpdate, spec: current.run.spec }, effective),
    notes: [
      ...(waitsFor === null ? [] : [waitsFor]),
      ...planned.notes,
      ...(await gatewayNotes(deps, project, effective, current)),
      ...(await mirrorNotes(deps, project, effective, current)),
      ...notes,
    ],
    quota: isUpdate ? [] : [...planned.quota],
    ...(isUpdate || waitsFor !== null
      ? NOT_PLACED
      : await outlookOf(deps, user, input, {
          ...planned,
          outlook: waits && planned.outlook === 'ends' ? 'waits' : planned.outlook,
        })),
  };
}

type QueueKeys = 'queue_place' | 'expected_start' | 'is_about' | 'preempts' | 'borrows';
type Outlook = Pick<RunPlan, QueueKeys | 'outlook' | 'places' | 'new_instances'>;

const NOT_PLACED: Outlook = {
  ...{ outlook: null, queue_place: null, expected_start: null, is_about: false },
  ...{ preempts: [], borrows: null },
};

/** Where the run would start, and whose capacity it would use; of one that would wait its place in the queue too. */
async function outlookOf(
  deps: HttpDeps,
  user: UserRecord,
  input: PlanInput,
  { outlook, shares, newInstances }: PlannedOutlook,
): Promise<Outlook> {
  const hasNoPlace = outlook === 'waits' || outlook === 'ends';
  const made = outlook === 'starts' && newInstances > 0 ? { new_instances: newInstances } : {};
  const now = { ...NOT_PLACED, outlook, ...placesOf(outlook === 'starts' ? shares : []), ...made };
  const ctx = deps.context();
  const isLent = isAnyGuaranteed(input);
  const isByPriority = hasPriorityPreemption(input.fleets, ctx.settings.preemption);
  const asksNobody = !isLent && !(outlook === 'ends' && isByPriority);
  if (outlook !== 'waits' && (outlook === null || asksNobody)) return now;
  const loaded = await deps.store.engine.loadPoolQueue(input.projectId, QUEUE_READ, isByPriority);
  const queue = withBackends(withPastTimes(loaded, ctx), () => null);
  const borrows = borrowing(input, queue.claims ?? []);
  const found = hasNoPlace ? placeInQueue(input, queue, loaded, ctx) : null;
  if (found === null || (outlook === 'ends' && !found.asks)) return { ...now, borrows };
  const { place, startsAt, isAbout, leavers } = found;
  return {
    ...{
      outlook: 'waits',
      queue_place: place,
      expected_start: formatOptionalTimestamp(startsAt),
      borrows,
    },
    is_about: startsAt !== null && isAbout,
    preempts: await preempted(deps, user, leavers, loaded.projectNames),
    ...placesOf(found.shares),
  };
}

function placesOf(shares: readonly ReservedShare[]): Pick<RunPlan, 'places'> {
  if (shares.length === 0) return {};
  return {
    places: shares.map(({ instanceId, blocks }) => ({ instance_id: instanceId, blocks })),
  };
}

/** By project; those that the caller may not see are one without a name. */
async function preempted(
  deps: HttpDeps,
  user: UserRecord,
  leavers: readonly ClaimState[],
  names: Readonly<Record<string, string>>,
): Promise<RunPlan['preempts']> {
  if (leavers.length === 0) return [];
  const ids = await visibleProjects(deps, user);
  // Those that use what others have exported are neither owners of it nor in the queue.
  const unnamed = [...new Set(leavers.map(({ projectId }) => projectId))].filter(
    (id) => names[id] === undefined && (ids === null || ids.includes(id)),
  );
  const others = await deps.store.projects.byIds(unnamed);
  const known = { ...names, ...Object.fromEntries(others.map(({ id, name }) => [id, name])) };
  const nameOf = (id: string) => (ids === null || ids.includes(id) ? (known[id] ?? null) : null);
  const groups = Map.groupBy(leavers, ({ projectId }) => nameOf(projectId));
  return [...groups].map(([project, own]) => ({
    project,
    runs: new Set(own.map(({ runId }) => runId)).size,
  }));
}

/** Runs behind these have no forecast. */
const QUEUE_READ = 50;

/**
 * The reasons why the gateway will refuse the service. Without a gateway the service has no address of
 * its own, so it cannot have a certificate.
 */
async function gatewayNotes(
  deps: HttpDeps,
  project: ProjectRecord,
  { configuration }: RunSpec,
  current: RunView | null,
): Promise<string[]> {
  if (configuration.type !== 'service') return [];
  const { gateway, https } = configuration;
  const view = await plannedGateway(deps, project, gateway);
  const served = current !== null && !isRunFinished(current.run.status) ? current.run : null;
  if (view !== null) {
    const texts = [
      serviceRefusal(view.gateway, served?.gatewayId ?? null),
      await customHostsRefusal(deps, configuration, {
        ...{ project, gateway: view.gateway },
        present: served?.serviceSpec?.hosts ?? [],
      }),
    ];
    return texts.filter((text) => text !== null);
  }
  if (configuration.hosts?.length) return [HOSTS_NEED_GATEWAY];
  const isNamed = gateway !== null && gateway !== false;
  if (isNamed || https !== true) return [];
  return ["`https` has no effect without a gateway: the service has the server's own address"];
}

/** Null also for one that does not exist, which `apply` refuses. */
async function plannedGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  gateway: ServiceConfiguration['gateway'],
): Promise<GatewayView | null> {
  if (gateway === false) return null;
  if (gateway === null || gateway === true) return await usableDefault(deps, project);
  return await findUsable(deps, project, referenceOf(gateway));
}

/** The client reserves its ports by this: the job most likely gets the first offer. */
function plannedSpec({ job_spec: spec, offers: [first] }: PlannedJob): JobSpec {
  const place = first && { backend: first.backend, instance_type: first.instance };
  return isLocalProcess(place ?? null) ? withPortsBeside(spec) : spec;
}

/** An update stays in the run's fleet. */
function occupiedFleet(current: RunView | null): string | null {
  return current === null || isRunFinished(current.run.status) ? null : current.run.fleetId;
}

/** Without any offer, all offers of the backends are examined to report what excludes them. */
async function answeredPlan(deps: HttpDeps, input: PlanInput) {
  const answers = await deps.offers.answer(input.projectId, planWantsOffers(input));
  const planned = plan(input, answers.offers);
  const isWhole = planned.jobPlans.every((job) => job.total_offers > 0);
  const all = isWhole ? null : await everything(deps, input.projectId);
  // Notes about the run's own question replace those about all offers.
  const shown = new Map([...(all?.notes ?? []), ...answers.notes].map((one) => [one.backend, one]));
  return {
    planned: all ? plan({ ...input, known: all.offers }, answers.offers) : planned,
    notes: [...shown.values()].map(({ backend, text }) => `${backend}: ${text}`),
  };
}

async function everything(deps: HttpDeps, projectId: string) {
  const question: OffersWanted = {
    projectId: null,
    key: 'everything',
    fleetId: null,
    backends: null,
    requirements: EVERYTHING,
  };
  const { offers, notes } = await deps.offers.answer(projectId, [question]);
  // Closed machines among all of them might not fit the run.
  const problems = notes.filter(({ rule }) => rule !== 'cordoned');
  return { offers: offers.get(question.key) ?? [], notes: problems };
}
