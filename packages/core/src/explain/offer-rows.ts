/** Rows for the offers of an elastic fleet: by backend, then by the rule that excludes them. */
import type { ExplainRule } from '@dstack/contract/wire';
import type { BackendName, FleetRecord, Offer } from '../model/index.ts';
import { isAvailableOffer, isQueueingOffer } from '../offers/availability.ts';
import type { Combined } from '../offers/combine.ts';
import { finding, offerFindings } from '../offers/findings.ts';
import type { BackendAbility, BackendNote } from '../placement/backend-answers.ts';
import type { NodeRequest } from '../placement/gang-request.ts';
import type { RequestLook } from '../placement/look-ahead.ts';
import { mountsWith } from '../placement/place/mounts.ts';
import {
  newCapacityFor,
  offersQuestion,
  usableOffers,
  whyNotLocal,
} from '../placement/place/new-capacity.ts';
import { EVERYTHING } from '../profile/fleet-requirements.ts';
import type { Row } from './diagnosis.ts';
import { offersText } from './texts.ts';

export interface Market {
  readonly abilities: readonly BackendAbility[];
  readonly notes: readonly BackendNote[];
}

/** An offer with every rule that excludes it; none if it is available. */
interface Judged {
  readonly offer: Offer;
  readonly findings: readonly Judgement[];
}

interface Judgement {
  readonly rule: ExplainRule;
  readonly verdict: 'never' | 'full';
  readonly asked: string | null;
  readonly has: string | null;
}

/** Empty if fleet and run exclude each other, as placement then checks no offers. */
export function offerRows(
  look: RequestLook,
  fleet: FleetRecord,
  name: string,
  market: Market,
): Row[] {
  const [node] = look.request.nodes;
  if (!node) return [];
  const capacity = newCapacityFor(fleet, node, look.request.profile);
  if ('excluded' in capacity) return [];
  if (market.abilities.length === 0) {
    const text = 'the project has no backend that can create instances';
    return [row('offers', { fleet: name, rule: 'no_backends', verdict: 'never', text })];
  }
  const { combined } = capacity;
  const offers = everyOffer(look, combined);
  return market.abilities.flatMap((backend) => {
    const own = offers
      .filter((offer) => offer.backend === backend.name)
      .map((offer) => judge(look, fleet, node, combined, backend, offer));
    return backendRows(backend, own, market.notes).map((one) => ({ ...one, fleet: name }));
  });
}

/**
 * All offers of the backends, without the run's requirements. Separately sold disks get the requested
 * size, so machines with smaller disks appear only in the second answer.
 */
export function everyOffer({ ask }: RequestLook, { requirements, profile }: Combined): Offer[] {
  const anywhere = { ...profile, backends: null };
  const ofDisk = (disk: Combined['requirements']['resources']['disk']) =>
    ask(
      offersQuestion(null, {
        profile: anywhere,
        requirements: { ...EVERYTHING, resources: { ...EVERYTHING.resources, disk } },
      }),
    );
  const { disk } = requirements.resources;
  const first = ofDisk(disk);
  if (disk === null) return [...first];
  const known = new Set(first.map(identity));
  return [...first, ...ofDisk(null).filter((offer) => !known.has(identity(offer)))];
}

function identity({ backend, region, price, instance: { name, resources } }: Offer): string {
  return [backend, region, name, price, resources.spot, resources.gpus.length].join(' ');
}

function judge(
  { ledger, request }: RequestLook,
  fleet: FleetRecord,
  node: NodeRequest,
  combined: Combined,
  backend: BackendAbility,
  offer: Offer,
): Judged {
  const query = { ...combined, needs: node.needs };
  const unfit = offerFindings(query, offer);
  if (unfit.length > 0) {
    return { offer, findings: unfit.map((one) => ({ ...one, verdict: 'never' })) };
  }
  const blocks = fleet.spec.configuration.blocks ?? 1;
  if (usableOffers([offer], node, combined, blocks).length === 0) {
    return { offer, findings: [{ ...finding('blocks'), verdict: 'never' }] };
  }
  const mounts = mountsWith(ledger, offer, fleet.id, node, request);
  if ('finding' in mounts) {
    return { offer, findings: [{ ...mounts.finding, verdict: mounts.verdict }] };
  }
  if (!backend.createsInstances) return { offer, findings: [judgement('no_machines', 'never')] };
  if (!(isAvailableOffer(offer) || isQueueingOffer(offer))) {
    const rule = offer.availability === 'no_quota' ? 'no_quota' : 'not_available';
    return { offer, findings: [judgement(rule, 'full')] };
  }
  const local = whyNotLocal(ledger, offer);
  return { offer, findings: local ? [{ ...local, verdict: 'full' }] : [] };
}

const judgement = (rule: ExplainRule, verdict: Judgement['verdict']): Judgement => ({
  ...{ rule, verdict },
  ...{ asked: null, has: null },
});

/** The most rules listed per backend. */
const RULES_NAMED = 6;

function backendRows(
  { name }: BackendAbility,
  offers: readonly Judged[],
  notes: readonly BackendNote[],
): Row[] {
  const note = notes.find((one) => one.backend === name);
  if (offers.length === 0) {
    const rule = note?.rule ?? 'backend_empty';
    const has = note?.text ?? null;
    return [offersRow({ backend: name, rule, verdict: note ? 'full' : 'never', has })];
  }
  const free = offers.filter((one) => one.findings.length === 0);
  const rules = new Set(offers.flatMap((one) => one.findings.map((finding) => finding.rule)));
  const rows = [...rules].map((rule) => ruleRow(name, rule, offers));
  return [
    ...(free.length > 0 ? [freeRow(name, free)] : []),
    ...rows.sort(byWeight).slice(0, RULES_NAMED),
  ];
}

/** Rules that alone exclude an offer come first. */
function byWeight(a: Row, b: Row): number {
  const alone = (row: Row) => (row.offer === null ? 1 : 0);
  return alone(a) - alone(b) || (b.count ?? 0) - (a.count ?? 0);
}

function freeRow(backend: BackendName, free: readonly Judged[]): Row {
  const { offer } = cheapest(free);
  const count = free.length;
  return offersRow({ backend, rule: null, verdict: 'free', count, ...named(offer) });
}

/** Has the values of the cheapest offer that fails only this rule. */
function ruleRow(backend: BackendName, rule: ExplainRule, offers: readonly Judged[]): Row {
  const under = offers.filter((one) => one.findings.some((finding) => finding.rule === rule));
  const alone = under.filter((one) => one.findings.every((finding) => finding.rule === rule));
  const example = cheapest(alone.length > 0 ? alone : under);
  const found = example.findings.find((finding) => finding.rule === rule);
  return offersRow({
    ...{ backend, rule, count: under.length },
    verdict: found?.verdict ?? 'never',
    asked: found?.asked ?? null,
    has: found?.has ?? null,
    ...(alone.length > 0 ? named(example.offer) : { region: regionOf(under) }),
  });
}

function cheapest(offers: readonly Judged[]): Judged {
  return offers.reduce((a, b) => (b.offer.price < a.offer.price ? b : a));
}

function named(offer: Offer): Pick<Row, 'offer' | 'price' | 'region'> {
  const { instance, region, price } = offer;
  const name = `${instance.name}${instance.resources.spot ? ' (spot)' : ''}`;
  return { offer: `${name} in ${region}`, price, region };
}

/** Null if there are several. */
function regionOf(offers: readonly Judged[]): string | null {
  const regions = new Set(offers.map(({ offer }) => offer.region));
  return regions.size === 1 ? ([...regions][0] ?? null) : null;
}

export function row(
  kind: Row['kind'],
  part: Partial<Omit<Row, 'kind'>> & Pick<Row, 'verdict' | 'text'>,
): Row {
  const about = { fleet: null, instance: null, backend: null, region: null };
  const offer = { offer: null, price: null };
  const rule = { rule: null, asked: null, has: null, count: null, holder: null };
  return { kind, ...about, ...offer, ...rule, ...part };
}

function offersRow(part: Partial<Row> & Pick<Row, 'verdict'>): Row {
  const plain = row('offers', { ...part, text: '' });
  return { ...plain, text: offersText(plain) };
}
