/** The plan of a fleet. */
import type { FleetPlan, FleetSpec } from '@dstack/contract/wire';
import {
  fleetHosts,
  fleetNotes,
  fleetPlanAction,
  fleetWantsOffers,
  hostAddress,
  planFleet as listing,
  prepareFleetSpec,
} from '@dstack/core';
import type { FleetView, ProjectRecord, UserRecord } from '@dstack/store';
import { wireFleet, withoutKeys } from '../mapping/fleet.ts';
import { plannedOffer } from '../mapping/offer.ts';
import type { HttpDeps } from '../ports.ts';
import { accepted } from '../spec-errors.ts';
import { checkDivision } from './hosts.ts';

export async function getFleetPlan(
  deps: HttpDeps,
  project: ProjectRecord,
  user: UserRecord,
  spec: FleetSpec,
  isOurs = true,
): Promise<FleetPlan> {
  const current = await currentFleet(deps, project, spec);
  const effective = await effectiveFleetSpec(deps, project, spec, { current, isOurs });
  if (current) checkDivision(current.instances, effective);
  if (effective.configuration.ssh_config !== null) deps.expectHosts();
  const question = fleetWantsOffers(effective);
  const { offers: answers } = await deps.offers.answer(
    project.id,
    question === null ? [] : [question],
  );
  const offers = question === null ? [] : (answers.get(question.key) ?? []);
  const action = fleetPlanAction(current?.fleet.spec ?? null, effective);
  const notes = current && action === 'update' ? fleetNotes(current.instances, effective) : [];
  const found = listing(effective, offers, { groupNodes: isOurs });
  return {
    project_name: project.name,
    user: user.name,
    // The caller's own input, keys included: clients send it back to `apply`.
    spec,
    effective_spec: withoutKeys(effective),
    current_resource: current && wireFleet(current, deps.context().now),
    offers: found.offers.map((offer) => plannedOffer(offer)),
    total_offers: found.total_offers,
    max_offer_price: found.max_price,
    action,
    ...(notes.length > 0 && { notes }),
  };
}

export async function currentFleet(
  deps: HttpDeps,
  project: ProjectRecord,
  spec: FleetSpec,
): Promise<FleetView | null> {
  const { name } = spec.configuration;
  return name === null ? null : deps.store.fleets.byName(project.id, name);
}

/** Checks all rules, including that no host is in two fleets. Throws `ApiError`. */
export async function effectiveFleetSpec(
  deps: HttpDeps,
  project: ProjectRecord,
  spec: FleetSpec,
  { current, isOurs }: { readonly current: FleetView | null; readonly isOurs: boolean },
): Promise<FleetSpec> {
  const isSsh = spec.configuration.ssh_config !== null;
  const others = isSsh
    ? (await deps.store.fleets.sshFleets()).filter((fleet) => fleet.id !== current?.fleet.id)
    : [];
  const hostsInUse = others.flatMap(({ projectId, name, spec: { configuration } }) => {
    const hosts = configuration.ssh_config === null ? [] : fleetHosts(configuration.ssh_config);
    const shown = projectId === project.id ? name : null;
    return hosts.map((host) => [hostAddress(host), shown] as const);
  });
  const stored = current?.fleet.spec ?? null;
  const context = { hostsInUse: new Map(hostsInUse), current: stored, isOurs };
  return accepted(prepareFleetSpec(spec, context)).spec;
}
