/** Machines of gateways on EC2, their addresses and their load balancers, at moto. */
import {
  type Aws,
  type ManualClock,
  type Moto,
  manualClock,
  startAws,
} from '@dstack/testkit/cloud';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NoCapacityError, QuotaError, SkipOfferError } from '../../base/errors.ts';
import type { GatewayOrder, GatewayPort } from '../../base/gateway-port.ts';
import { OWNER_TAGS } from '../../base/owner-tags.ts';
import { KEY_TAG } from '../../base/rest-vm/names.ts';
import type { CallPace } from '../../base/rest-vm/pace.ts';
import { OUR_SERVER } from '../../base/testing/backend-world.ts';
import { passingPace } from '../../base/testing/passing-pace.ts';
import { Ec2 } from '../ec2.ts';
import { Addresses } from '../gateways/addresses.ts';
import { Elb } from '../gateways/elb.ts';
import { awsAt, clientAt, REGION } from '../testing.ts';

const BOOT_S = 60;

export function describeAwsGateways(environment: string | null, moto: () => Moto): void {
  describe('a gateway on AWS', () => tests(environment, moto));
}

function tests(environment: string | null, moto: () => Moto): void {
  let aws: Aws;
  let clock: ManualClock;
  let pace: CallPace;
  let gateways: GatewayPort;
  beforeEach(async () => {
    clock = manualClock();
    pace = passingPace(clock);
    const faults = { boot_seconds: [BOOT_S, BOOT_S] } as const;
    aws = await startAws(environment ?? '', { moto: moto(), clock, regions: [REGION], faults });
    gateways = newServer();
  });
  afterEach(() => aws.close());

  /** Knows nothing of what another one has done. */
  function newServer(): GatewayPort {
    const { gateways: port } = awsAt({ aws, pace, settings: { tags: { team: 'infra' } } });
    if (!port) throw new Error('it makes no gateways');
    return port;
  }
  let orders = 0;
  const order = (change: Partial<GatewayOrder> = {}): GatewayOrder => {
    const replicaId = `replica-${orders++}`;
    return {
      ...{ key: `gateway.create:${replicaId}:0`, replicaId, replicaNum: 0, region: REGION },
      owner: { server: OUR_SERVER, project: 'main', fleet: '', instance: 'edge-0' },
      ...{ gateway: { id: 'g', name: 'edge' }, balancer: null, domain: null, settings: null },
      ...{ instanceType: null, isPublic: true, authorizedKeys: ['ssh-ed25519 AAAA main'] },
      ...{ tags: { owner: 'ml' }, ...change },
    };
  };
  const addresses = () =>
    new Addresses({
      ec2: new Ec2(clientAt({ aws, pace }), REGION),
      tags: {},
      now: () => pace.now(),
    });
  const elb = () => new Elb(clientAt({ aws, pace }), REGION);
  const started = async (given: GatewayOrder, port = gateways) => {
    const handle = await port.create(given);
    clock.advance(BOOT_S);
    const seen = await port.observe(handle);
    if (seen.state !== 'ready') throw new Error(JSON.stringify(seen));
    return { handle, address: seen.machine?.provisioningData.hostname ?? '', access: seen.access };
  };
  async function ended(
    handle: Awaited<ReturnType<GatewayPort['create']>>,
    ends: 'machine' | 'replica' | 'gateway' = 'gateway',
  ): Promise<void> {
    for (let tries = 0; tries < 10; tries++) {
      if ((await gateways.release(handle, { ends })) === 'released') return;
      clock.advance(BOOT_S);
    }
    throw new Error('it does not end');
  }

  it('has an elastic address with our tags, and lets clients and the server in', async () => {
    const { handle, address, access } = await started(order());
    const [kept, ...others] = await addresses().list(OUR_SERVER);
    expect(others).toEqual([]);
    expect(kept).toMatchObject({ address, instance: handle.id });
    expect(kept?.tags).toEqual({
      ...{ 'dstack-server': OUR_SERVER, 'dstack-project': 'main', 'dstack-fleet': '' },
      ...{ 'dstack-instance': 'edge-0', [KEY_TAG]: 'gateway:g:0', Name: 'edge-0' },
      ...{ team: 'infra', owner: 'ml' },
    });
    expect(access).toMatchObject({ kind: 'ssh', hostname: address, user: 'ubuntu' });
    const run = aws.log.find(({ action }) => action === 'RunInstances')?.fields ?? {};
    expect(run).toMatchObject({
      ...{ InstanceType: 't3.micro', InstanceInitiatedShutdownBehavior: 'terminate' },
      'NetworkInterface.1.AssociatePublicIpAddress': 'false',
    });
    expect(Buffer.from(run.UserData ?? '', 'base64').toString()).toContain('nginx-light');
    const opened = aws.log
      .filter(({ action }) => action === 'AuthorizeSecurityGroupIngress')
      .map(({ fields }) => fields['IpPermissions.1.FromPort']);
    expect(opened).toEqual(['22', '80', '443']);
    expect(gateways.ports?.(handle)).toEqual({ http: 80, https: 443 });
  });

  it('keeps its address when its machine is replaced, also by another server, and then leaves nothing', async () => {
    const first = await started(order());
    await aws.vanish(first.handle.id);
    clock.advance(BOOT_S);
    expect((await gateways.observe(first.handle)).state).not.toBe('ready');
    await ended(first.handle, 'machine');
    const [kept] = await gateways.list({ server: OUR_SERVER });
    expect(kept).toMatchObject({ key: 'gateway:g:0', owner: { instance: 'edge-0' } });
    gateways = newServer();
    const second = await started(order());
    expect(second.address).toBe(first.address);
    expect(await gateways.list({ server: OUR_SERVER })).toHaveLength(1);
    await ended(second.handle);
    expect(await gateways.list({ server: OUR_SERVER })).toEqual([]);
    expect(aws.vms()).toEqual([]);
  });

  it('whose server was killed between address and machine uses that address, and what nothing uses can be ended', async () => {
    const given = order();
    const place = { gateway: 'g', replica: 0, server: OUR_SERVER };
    const { address, id } = await addresses().ensure(place, given);
    const [orphan] = await gateways.list({ server: OUR_SERVER });
    expect(orphan?.handle.id).toBe(id);
    expect((await started(given)).address).toBe(address);
    expect(await addresses().list(OUR_SERVER)).toHaveLength(1);
    const other = order({ gateway: { id: 'h', name: 'other' } });
    const unused = await addresses().ensure({ ...place, gateway: 'h' }, other);
    const left = (await gateways.list({ server: OUR_SERVER })).find(
      ({ handle }) => handle.id === unused.id,
    );
    if (left) await gateways.release(left.handle, { ends: 'machine' });
    expect(await addresses().list(OUR_SERVER)).toHaveLength(1);
  });

  it('that cannot have an address or a machine leaves neither', async () => {
    aws.refuse('AllocateAddress', 'AddressLimitExceeded');
    const refused = await gateways.create(order()).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(QuotaError);
    expect(String(refused)).toMatch(/no quota: one more elastic address in us-east-1/);
    aws.refuse('AllocateAddress', null);
    aws.refuse('RunInstances', 'UnauthorizedOperation');
    await expect(gateways.create(order())).rejects.toThrow('the credentials do not allow it');
    aws.refuse('RunInstances', null);
    aws.faults.set({ no_capacity: 1 });
    await expect(gateways.create(order())).rejects.toThrow(NoCapacityError);
    await expect(gateways.create(order({ region: 'eu-west-1' }))).rejects.toThrow(SkipOfferError);
    await expect(gateways.create(order({ balancer: { certificateArn: null } }))).rejects.toThrow(
      NoCapacityError,
    );
    expect(await gateways.list({ server: OUR_SERVER })).toEqual([]);
    expect(aws.vms()).toEqual([]);
  });

  it('whose address a user has deleted gets another one, and another type is reported', async () => {
    const given = order();
    const { handle, address } = await started(given);
    const [kept] = await addresses().list(OUR_SERVER);
    await aws.ask(REGION, 'DisassociateAddress', { PublicIp: address });
    await addresses().release(kept?.id ?? '');
    clock.advance(BOOT_S);
    const larger = { ...given, instanceType: 't3.small' };
    await gateways.maintain?.(handle, larger);
    const seen = await gateways.observe(handle);
    const hostname = seen.state === 'ready' && seen.machine?.provisioningData.hostname;
    expect(hostname).not.toBe(address);
    expect((await addresses().list(OUR_SERVER)).map((one) => one.address)).toEqual([hostname]);
    expect(await gateways.maintain?.(handle, larger)).toEqual({
      ...{ outdated: 'The gateway is on t3.small now', unreachable: null },
    });
    await ended(handle);
    // A look that began before the end makes nothing again.
    await gateways.maintain?.(handle, given);
    expect(await gateways.list({ server: OUR_SERVER })).toEqual([]);
  });

  it('behind a load balancer is reached by its name, with the certificate of ACM, and leaves nothing', async () => {
    const certificateArn = await certificate(moto().url);
    const given = order({ balancer: { certificateArn } });
    const { handle, address } = await started(given);
    expect(address).toMatch(/elb\.amazonaws\.com$/);
    expect(await addresses().list(OUR_SERVER)).toEqual([]);
    const first = await gateways.maintain?.(handle, given);
    expect(first?.unreachable).toMatch(/not registered/);
    expect(await gateways.maintain?.(handle, given)).toEqual({
      ...{ outdated: null, unreachable: null },
    });
    const [balancer, ...others] = await elb().balancers();
    expect(others).toEqual([]);
    const ports = (await elb().listeners(balancer?.arn ?? '')).map(({ port }) => port);
    expect(ports.toSorted()).toEqual([443, 80]);
    // Another replica, made by a server that was started after a kill -9.
    gateways = newServer();
    const second = await started(order({ ...given, replicaNum: 1, key: 'gateway.create:r2:0' }));
    expect(second.address).toBe(address);
    await ended(second.handle, 'replica');
    expect(await elb().balancers()).toHaveLength(1);
    await ended(handle);
    expect(await elb().balancers()).toEqual([]);
    expect(await elb().targetGroups()).toEqual([]);
    expect(await gateways.list({ server: OUR_SERVER })).toEqual([]);
  });

  it('behind a load balancer that is left without a machine is found by its tags and ended', async () => {
    const given = order({ balancer: { certificateArn: null } });
    const { handle } = await started(given);
    await ended(handle, 'machine');
    const left = await newServer().list({ server: OUR_SERVER });
    expect(left.map(({ key }) => key)).toEqual(['gateway:g', 'gateway:g']);
    for (const one of left) await ended(one.handle);
    expect(await gateways.list({ server: OUR_SERVER })).toEqual([]);
  });

  it('gives back an address that a lost answer has left, and none that a user has given to a machine', async () => {
    const given = order();
    const { handle } = await started(given);
    const tags = { [KEY_TAG]: 'gateway:g:0', [OWNER_TAGS.server]: OUR_SERVER };
    const fields = Object.entries(tags).flatMap(([key, value], at) => [
      [`TagSpecification.1.Tag.${at + 1}.Key`, key],
      [`TagSpecification.1.Tag.${at + 1}.Value`, value],
    ]);
    const more = { 'TagSpecification.1.ResourceType': 'elastic-ip', Domain: 'vpc' };
    const allocate = () =>
      aws.ask(REGION, 'AllocateAddress', { ...more, ...Object.fromEntries(fields) });
    await allocate();
    await gateways.maintain?.(handle, given);
    expect((await addresses().list(OUR_SERVER)).map(({ instance }) => instance)).toEqual([
      handle.id,
    ]);
    const users = await started(order({ gateway: { id: 'h', name: 'other' } }));
    const AllocationId = /<allocationId>([^<]*)/.exec(await allocate())?.[1] ?? '';
    const InstanceId = users.handle.id;
    await aws.ask(REGION, 'AssociateAddress', { AllocationId, InstanceId });
    await ended(handle);
    const left = await addresses().list(OUR_SERVER);
    expect(left.map(({ instance }) => instance)).toEqual([InstanceId, InstanceId]);
  });

  it('is listed as it was made, whatever tags users and the configuration have', async () => {
    const many = Array.from({ length: 60 }, (_, at) => [`tag-${at}`, 'x']);
    const tags = { ...Object.fromEntries(many), 'dstack-gateway': 'another' };
    const settings = { tags: { 'dstack-gateway-replica': '7', team: 'infra' } };
    const port = awsAt({ aws, pace, settings }).gateways;
    const handle = await port?.create(order({ tags, replicaNum: 3 }));
    const listed = await newServer().list({ server: OUR_SERVER });
    expect(listed.map((one) => one.handle)).toEqual([handle]);
  });
}

/** A certificate of ACM in moto. */
async function certificate(moto: string): Promise<string> {
  const scope = `Credential=test/20260101/${REGION}/acm/aws4_request`;
  const response = await fetch(moto, {
    method: 'POST',
    headers: {
      authorization: `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=host, Signature=0`,
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'CertificateManager.RequestCertificate',
    },
    body: JSON.stringify({ DomainName: '*.apps.example.com' }),
  });
  const { CertificateArn } = (await response.json()) as { readonly CertificateArn: string };
  return CertificateArn;
}
