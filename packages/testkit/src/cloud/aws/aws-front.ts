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
import { type CloudClock, SECOND_US } from '../clock.ts';
import type { CloudFaults } from '../faults.ts';
import { Refusal } from '../refusal.ts';
import type { CloudRandom } from '../vm.ts';
import { Ec2Attachments } from './attachments.ts';
import { type Fields, fieldsOf, listed, regionOf } from './ec2-request.ts';
import { allTexts, type Ec2Answer, ec2Error, firstText, keepItems } from './ec2-xml.ts';
import { refusedByEc2 } from './errors.ts';
import { PlacementGroups, unknownGroup } from './placement-groups.ts';
import { Ec2Tokens } from './tokens.ts';

export interface AwsFrontOptions {
  readonly moto: string;
  readonly calls: CloudCalls;
  readonly clock: CloudClock;
  readonly random: CloudRandom;
  readonly faults: () => CloudFaults;
}

export interface AwsFront {
  readonly url: string;
  /** Ids of machines that were made and not ended. */
  readonly vms: readonly string[];
  close(): Promise<void>;
}

interface Ec2Vm {
  readonly createdAt: number;
  readonly group: string | null;
}

export async function startAwsFront(options: AwsFrontOptions): Promise<AwsFront> {
  const ec2 = new Ec2Front(options);
  const server = createServer((incoming, response) => {
    void serve(incoming, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(incoming);
    const answer = await ec2.answer(incoming, body);
    if (answer === null) response.destroy();
    else response.writeHead(answer.status, { 'content-type': 'text/xml' }).end(answer.body);
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get vms() {
      return [...ec2.vms.keys()];
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}

class Ec2Front {
  readonly vms = new Map<string, Ec2Vm>();
  readonly #options: AwsFrontOptions;
  readonly #tokens = new Ec2Tokens();
  readonly #groups = new PlacementGroups();
  readonly #attachments = new Ec2Attachments();

  constructor(options: AwsFrontOptions) {
    this.#options = options;
  }

  /** Null: the client gets no answer. */
  async answer(incoming: IncomingMessage, body: string): Promise<Ec2Answer | null> {
    const fields = fieldsOf(body);
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
    const isUsed = (name: string) => [...this.vms.values()].some(({ group }) => group === name);
    const own =
      this.#groups.answer(region, fields, isUsed) ?? this.#attachments.refusal(fields) ?? null;
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
        return this.#onTerminated(fields, await forward());
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
    const { random, faults, clock } = this.#options;
    const { quota, noCapacity } = faults();
    const { 'Placement.GroupName': group = null, InstanceType: type = '' } = fields;
    // A rehearsal changes nothing, and fails for permissions alone.
    if (fields.DryRun === 'true') return await forward();
    if (group !== null && !this.#groups.has(region, group)) return unknownGroup(group);
    if (this.vms.size >= quota) throw new Refusal('quota', `${quota} machines`);
    if (random.chance(noCapacity)) throw new Refusal('no_capacity', type, { what: type });
    const answer = await forward();
    for (const id of allTexts(answer.body, 'instanceId')) {
      this.vms.set(id, { createdAt: clock.now, group });
      this.#attachments.onVm(id, firstText(answer.body, 'availabilityZone'));
    }
    return answer;
  }

  #onTerminated(fields: Fields, answer: Ec2Answer): Ec2Answer {
    if (answer.status !== 200) return answer;
    for (const id of listed(fields, 'InstanceId')) {
      this.vms.delete(id);
      this.#tokens.onTerminated(id);
      this.#attachments.onTerminated(id);
    }
    return answer;
  }

  async #describe(fields: Fields, forward: () => Promise<Ec2Answer>): Promise<Ec2Answer> {
    const { clock, faults } = this.#options;
    const since = clock.now - faults().eventualSeconds * SECOND_US;
    const hidden = [...this.vms].flatMap(([id, { createdAt }]) => (createdAt > since ? [id] : []));
    const asked = listed(fields, 'InstanceId').find((id) => hidden.includes(id));
    if (asked !== undefined) {
      const message = `The instance ID '${asked}' does not exist`;
      return ec2Error(400, 'InvalidInstanceID.NotFound', message);
    }
    const answer = await forward();
    const isKept = (item: string) => !hidden.some((id) => item.includes(id));
    return { ...answer, body: keepItems(answer.body, 'reservationSet', isKept) };
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
