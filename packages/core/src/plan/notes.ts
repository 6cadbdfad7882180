import { type Refusal, refusalText } from '@dstack/contract/wire';
import { isServerHost, LOCAL_PROCESS_INSTANCE } from '../capabilities/capabilities.ts';
import { windowText } from '../maintenance/index.ts';
import type { Offer } from '../model/index.ts';
import { isAvailableOffer, isQueueingOffer } from '../offers/availability.ts';
import {
  LOCAL_MOUNTS,
  LOCAL_TRUSTED,
  LOCAL_USERS,
  localRefusal,
  localRefusalText,
} from '../offers/local-limits.ts';
import { firstMismatch } from '../offers/match.ts';
import { unmetLocation, unmetNeed } from '../offers/needs.ts';
import type { GangRequest } from '../placement/gang-request.ts';
import type { CapacityLedger } from '../placement/place/capacity-ledger.ts';
import { chooseFleet, type FleetOption } from '../placement/place/choose-fleet.ts';
import type { Ask } from '../placement/place/new-capacity.ts';
import { refusalOf } from '../placement/place/refusals.ts';
import { lackOf, quotaRefusal } from '../placement/quota/refusal.ts';
import { amountsOfOption, payerOf } from '../placement/quota/slots.ts';
import type { Batch } from './batches.ts';
import type { PlanInput } from './input.ts';

/** Sentences for the user: how the run will differ from the usual behaviour, and what it lacks. */
export function planNotes(
  ledger: CapacityLedger,
  input: PlanInput,
  batches: readonly { readonly batch: Batch; readonly offers: readonly Offer[] }[],
  ask: Ask,
): string[] {
  const notes = batches.flatMap(({ batch, offers }) => [
    ...localNotes(input, offers),
    ...quotaNotes(ledger, input, batch.request, ask),
    ...maintenanceNotes(ledger, input, batch.request, ask),
    ...(offers.some(isAvailableOffer) ? [] : missingNotes(ledger, input, batch.request, ask)),
  ]);
  return [...new Set(notes)];
}

/** On the server host it matters whether a container surrounds the job. */
function localNotes(input: PlanInput, offers: readonly Offer[]): string[] {
  const local = offers.find((offer) => isServerHost(offer.backend));
  if (!local) return [];
  if (local.instance.name !== LOCAL_PROCESS_INSTANCE) {
    return [
      "local: the job runs in a Docker container on the server's machine",
      ...withoutOptionalMounts(input, local),
    ];
  }
  return [
    "local: the job runs as a plain process on the server's machine, without a container",
    ...(input.options?.forOffersOnly ? [] : withoutContainerNotes(input, local)),
    ...withoutOptionalMounts(input, local),
    ...sharedPortNotes(input),
  ];
}

/** Processes share ports, and an update starts the next replica beside the one that it replaces. */
function sharedPortNotes({ jobSpecs }: PlanInput): string[] {
  const services = jobSpecs.filter((job) => job.service_port !== null);
  const listensAnywhere = services.some(
    ({ commands }) => !commands.some((text) => text.includes('DSTACK_LISTEN_ADDRESS')),
  );
  return listensAnywhere
    ? [
        "local: replicas share the ports of the server's machine, also during an update: let the app listen on $DSTACK_LISTEN_ADDRESS",
      ]
    : [];
}

/** Features of containers, which are left out without one. */
const OF_CONTAINERS = ['shell', 'python', 'nvcc'] as const;

function withoutContainerNotes(input: PlanInput, local: Offer): string[] {
  const { configuration } = input.spec;
  const { image, user } = configuration;
  const unused: string[] = OF_CONTAINERS.filter((key) => configuration[key]);
  if (input.jobSpecs.some((job) => job.requirements.resources.shm_size)) unused.push('shm_size');
  return [
    ...(image ? [`local: \`image\` (${image}) is not used there`] : []),
    ...unused.map((key) => `local: \`${key}\` is not used there`),
    ...(user && local.backend_data[LOCAL_USERS] !== true
      ? [
          `local: \`user\` (${user}) is not used there unless root starts the server with DSTACK_LOCAL_TRUSTED`,
        ]
      : []),
  ];
}

function withoutOptionalMounts({ spec }: PlanInput, local: Offer): string[] {
  const data = local.backend_data;
  if (data[LOCAL_TRUSTED] === true && data[LOCAL_MOUNTS] === true) return [];
  return (spec.configuration.volumes ?? []).flatMap((mount) =>
    'instance_path' in mount && mount.optional
      ? [`local: the optional volume ${mount.instance_path}:${mount.path} is left out there`]
      : [],
  );
}

/** Notes about quotas: whether they leave enough for the run, and the part of them that it takes. */
function quotaNotes(
  ledger: CapacityLedger,
  input: PlanInput,
  request: GangRequest,
  ask: Ask,
): string[] {
  if (input.options?.forOffersOnly || !ledger.quotas.concerns(request.run)) return [];
  const option = chooseFleet(ledger, request, ask);
  if (option === null) {
    const lack = lackOf(ledger, request, ask);
    return lack ? [refusalText(quotaRefusal(ledger, request, lack))] : [];
  }
  const uses = ledger.quotas.usesOf(payerOf(request, option.fleet), amountsOfOption(option));
  return uses.map((use) => refusalText(quotaRefusal(ledger, request, use)));
}

/** The run starts, and will have to leave for a window of maintenance if it still runs then. */
function maintenanceNotes(
  ledger: CapacityLedger,
  input: PlanInput,
  request: GangRequest,
  ask: Ask,
): string[] {
  if (input.options?.forOffersOnly) return [];
  const fleet = chooseFleet(ledger, request, ask)?.fleet;
  const window = fleet && ledger.windows.interrupting(fleet, request);
  if (!window) return [];
  return [
    `Fleet ${fleet.name} is in maintenance ${windowText(window)}: jobs that run then are interrupted before, and submitted again. A \`max_duration\` that ends earlier avoids it`,
  ];
}

/** Why there are no offers: the scheduler's reason, and the rules that exclude offers. */
function missingNotes(
  ledger: CapacityLedger,
  input: PlanInput,
  request: GangRequest,
  ask: Ask,
): string[] {
  // A search for offers alone is not limited to fleets, unless it names some.
  const anywhere = input.options?.forOffersOnly && !request.profile.fleets;
  const option = anywhere ? null : chooseFleet(ledger, request, ask);
  const isRefused = !anywhere && option === null;
  const refusal = isRefused ? refusalOf(ledger, request, ask) : null;
  const refused = refusal === null ? [] : [refusalText(refusal)];
  const known = (input.known ?? []).filter(
    // Where the fleets are no clusters, what their machines could do for several nodes is not the cause.
    (offer) => !(refusal !== null && lacksCluster(refusal) && isForOneNode(request, offer)),
  );
  return [
    ...refused,
    ...queueNotes(option),
    ...ruledOut(known, request),
    ...refusedByLocal(known, request),
  ];
}

function lacksCluster(refusal: Refusal): boolean {
  return (
    refusal.kind === 'no-place' && refusal.fleets.some(({ growth }) => growth?.rule === 'placement')
  );
}

function isForOneNode({ nodes: [node] }: GangRequest, offer: Offer): boolean {
  return node !== undefined && unmetNeed(node.needs, offer) === 'nodes';
}

/** Where its machine is in use, and its order waits. */
function queueNotes(option: FleetOption | null): string[] {
  const [slot] = option?.slots ?? [];
  const [offer] = slot?.kind === 'new' ? slot.offers : [];
  if (!(offer && isQueueingOffer(offer))) return [];
  return [
    `${offer.backend}: no node is free for the run now, so it waits in the queue of cluster ${offer.region}`,
  ];
}

/** Refusals that the server host would not make if the server were started with other settings. */
function refusedByLocal(known: readonly Offer[], request: GangRequest): string[] {
  return known.flatMap((offer) =>
    request.nodes.flatMap(({ needs }) => {
      const refusal = localRefusal(needs, offer);
      return refusal ? [localRefusalText(refusal)] : [];
    }),
  );
}

function ruledOut(known: readonly Offer[], request: GangRequest): string[] {
  const [node] = request.nodes;
  if (!node) return [];
  const counts = new Map<string, number>();
  for (const offer of known) {
    const property =
      firstMismatch(node.requirements, offer) ??
      unmetNeed(node.needs, offer) ??
      unmetLocation(request.profile, offer);
    if (property) counts.set(property, (counts.get(property) ?? 0) + 1);
  }
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([property, count]) => {
      const offers = count === 1 ? '1 offer is' : `${count} offers are`;
      return `${offers} ruled out by \`${property}\``;
    });
}
