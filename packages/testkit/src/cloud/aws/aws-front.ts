/**
 * A proxy before moto, which adds what EC2 has and moto lacks: idempotency tokens, placement groups, the rules of
 * attachments, eventual consistency, EC2's code for missing permissions, and faults. All else passes untouched, so moto
 * remains the judge of encoding, signature and state.
 */
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
  request as send,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { CloudCalls } from '../calls.ts';
import { Refusal } from '../refusal.ts';
import { Ec2Attachments } from './attachments.ts';
import { type Fields, fieldsOf, listed, regionOf } from './ec2-request.ts';
import { Ec2Vms, type Ec2VmsOptions } from './ec2-vms.ts';
import {
  allTexts,
  changeItems,
  type Ec2Answer,
  ec2Answer,
  ec2Error,
  firstText,
} from './ec2-xml.ts';
import { refusedByEc2 } from './errors.ts';
import { type MotoCall, motoCalls, zoneOfOrder } from './moto-call.ts';
import { PlacementGroups, unknownGroup } from './placement-groups.ts';
import { Ec2Capacity, Ec2Quotas } from './quotas.ts';
import { Ec2Reservations, RESERVATION } from './reservations.ts';
import { Ec2Tokens } from './tokens.ts';

export interface AwsFrontOptions extends Omit<Ec2VmsOptions, 'end'> {
  readonly moto: string;
  readonly calls: CloudCalls;
  /** The address at which it listens. */
  readonly host: string;
}

/** A request as it arrived, and how it was answered. */
export interface AwsLogEntry {
  readonly action: string;
  readonly region: string;
  readonly fields: Fields;
  /** Null: the client got no answer. */
  readonly status: number | null;
}

export interface AwsFront {
  readonly url: string;
  readonly vms: Ec2Vms;
  readonly quotas: Ec2Quotas;
  readonly capacity: Ec2Capacity;
  readonly reservations: Ec2Reservations;
  /** Regions that answer nothing. */
  readonly unreachable: Set<string>;
  /** Codes with which actions are refused, such as those of quotas that moto does not have. */
  readonly refused: Map<string, string>;
  readonly log: readonly AwsLogEntry[];
  close(): Promise<void>;
}

export async function startAwsFront(options: AwsFrontOptions): Promise<AwsFront> {
  const ec2 = new Ec2Front(options);
  const log: AwsLogEntry[] = [];
  const unreachable = new Set<string>();
  const refused = new Map<string, string>();
  const server = createServer((incoming, response) => {
    void serve(incoming, response).catch(() => response.destroy());
  });
  server.listen(0, options.host);
  await once(server, 'listening');

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(incoming);
    const fields = fieldsOf(body);
    const region = regionOf(incoming.headers);
    const code = refused.get(fields.Action ?? '');
    const refusal = code === undefined ? null : ec2Error(400, code, `refused: ${code}`);
    const isDown = unreachable.has(region);
    const answer = isDown ? null : (refusal ?? (await ec2.answer(incoming, body, fields)));
    const target = String(incoming.headers['x-amz-target'] ?? '').split('.')[1] ?? '';
    const { Action: action = target } = fields;
    log.push({ action, region, fields, status: answer?.status ?? null });
    if (answer === null) response.destroy();
    else response.writeHead(answer.status, { 'content-type': 'text/xml' }).end(answer.body);
  }

  const { vms, quotas, capacity, reservations } = ec2;
  return {
    url: `http://${options.host}:${(server.address() as AddressInfo).port}`,
    ...{ vms, quotas, capacity, reservations, log, unreachable, refused },
    close: async () => {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
      await vms.close();
    },
  };
}

class Ec2Front {
  readonly vms: Ec2Vms;
  readonly quotas = new Ec2Quotas();
  readonly capacity = new Ec2Capacity();
  readonly #options: AwsFrontOptions;
  readonly #tokens = new Ec2Tokens();
  readonly #groups = new PlacementGroups();
  readonly #attachments = new Ec2Attachments();
  readonly reservations = new Ec2Reservations();
  readonly #ask: MotoCall;

  constructor(options: AwsFrontOptions) {
    this.#options = options;
    this.#ask = motoCalls(options.moto);
    this.vms = new Ec2Vms({
      ...options,
      end: (id, action) => {
        const region = this.vms.regionOf(id) ?? '';
        this.#ask(region, action, { 'InstanceId.1': id }).catch(() => {});
      },
    });
  }

  /** Null: the client gets no answer. */
  async answer(incoming: IncomingMessage, body: string, fields: Fields): Promise<Ec2Answer | null> {
    const carryOut = async () => {
      try {
        return await this.#carryOut(incoming, body, fields);
      } catch (error) {
        return refusedByEc2(error);
      }
    };
    return await this.#options.calls.carryOut(carryOut).catch(refusedByEc2);
  }

  async #carryOut(incoming: IncomingMessage, body: string, fields: Fields): Promise<Ec2Answer> {
    const region = regionOf(incoming.headers);
    const forward = async () => asEc2(await this.#forward(incoming, body));
    const isUsed = (name: string) => this.vms.isInGroup(name);
    const own =
      this.quotas.answer(incoming.headers['x-amz-target']) ??
      this.#groups.answer(region, fields, isUsed) ??
      this.reservations.answer(region, fields) ??
      this.#attachments.refusal(fields);
    if (own) return own;
    switch (fields.Action) {
      case 'RunInstances':
        return await this.#tokens.once(region, fields, () => this.#run(region, fields, forward));
      case 'CreateVolume': {
        const answer = await this.#tokens.once(region, fields, forward);
        this.#attachments.onVolume(answer.body);
        return answer;
      }
      case 'AttachVolume':
      case 'DetachVolume':
        return this.#attachments.onAnswer(fields, await forward());
      case 'TerminateInstances':
        return this.#ended(fields) ?? this.#onTerminated(fields, await forward());
      case 'DescribeInstances':
        return await this.#describe(fields, forward);
      default:
        return await forward();
    }
  }

  async #run(
    region: string,
    fields: Fields,
    forward: () => Promise<Ec2Answer>,
  ): Promise<Ec2Answer> {
    const { random, faults } = this.#options;
    const { quota, noCapacity } = faults();
    const { 'Placement.GroupName': group = null, InstanceType: type = '' } = fields;
    // A rehearsal changes nothing, and fails for permissions alone.
    if (fields.DryRun === 'true') return await forward();
    if (group !== null && !this.#groups.has(region, group)) return unknownGroup(group);
    if (this.vms.ids.length >= quota) throw new Refusal('quota', `${quota} VMs`);
    const { capacity } = this;
    const isReserved = RESERVATION in fields;
    const isAsked = capacity.isAsked || isReserved;
    const zone = isAsked ? await zoneOfOrder(this.#ask, region, fields) : null;
    const refusal = this.reservations.refusal(fields, zone);
    if (refusal) return refusal;
    if (!isReserved && (!capacity.has(fields, zone) || random.chance(noCapacity))) {
      throw new Refusal('no_capacity', type, { what: type });
    }
    const answer = await forward();
    for (const id of allTexts(answer.body, 'instanceId')) {
      this.vms.onMade(id, region, fields);
      this.#attachments.onVm(id, firstText(answer.body, 'availabilityZone'));
      this.reservations.onMade(id, fields);
    }
    return answer;
  }

  /** EC2 takes the end of an ended machine as a success, and moto misses its network interface. */
  #ended(fields: Fields): Ec2Answer | null {
    const ids = listed(fields, 'InstanceId');
    const isAll = ids.length > 0 && ids.every((id) => this.vms.hasEnded(id));
    if (!isAll || fields.DryRun === 'true') return null;
    const state = '<code>48</code><name>terminated</name>';
    const states = `<currentState>${state}</currentState><previousState>${state}</previousState>`;
    const items = ids.map((id) => `<item><instanceId>${id}</instanceId>${states}</item>`);
    return ec2Answer('TerminateInstances', `<instancesSet>${items.join('')}</instancesSet>`);
  }

  #onTerminated(fields: Fields, answer: Ec2Answer): Ec2Answer {
    if (answer.status !== 200 || fields.DryRun === 'true') return answer;
    for (const id of listed(fields, 'InstanceId')) {
      this.vms.onEnded(id);
      this.#tokens.onTerminated(id);
      this.#attachments.onTerminated(id);
      this.reservations.onTerminated(id);
    }
    return answer;
  }

  async #describe(fields: Fields, forward: () => Promise<Ec2Answer>): Promise<Ec2Answer> {
    const { vms } = this;
    const asked = listed(fields, 'InstanceId').find((id) => vms.isHidden(id));
    if (asked !== undefined) {
      const message = `The instance ID '${asked}' does not exist`;
      return ec2Error(400, 'InvalidInstanceID.NotFound', message);
    }
    const answer = await forward();
    const view = (item: string) => vms.view(item);
    return { ...answer, body: changeItems(answer.body, 'reservationSet', view) };
  }

  /** With all headers, as the signature covers them. */
  async #forward(incoming: IncomingMessage, body: string): Promise<Ec2Answer> {
    const { method, headers, url = '/' } = incoming;
    const upstream = send(new URL(url, this.#options.moto), { method, headers });
    upstream.end(body);
    const [answered] = (await once(upstream, 'response')) as [IncomingMessage];
    return { status: answered.statusCode ?? 500, body: await text(answered) };
  }
}

/** Moto has IAM's code for a denied action; EC2 has its own. */
function asEc2(answer: Ec2Answer): Ec2Answer {
  if (answer.status !== 403) return answer;
  const body = answer.body.replace('<Code>AccessDenied<', '<Code>UnauthorizedOperation<');
  return { ...answer, body };
}
