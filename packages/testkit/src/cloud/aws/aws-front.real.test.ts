import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ManualClock, manualClock } from '../clock.ts';
import { allTexts, firstText } from './ec2-xml.ts';
import { motoEnvironment } from './moto.ts';
import { type Aws, startAws } from './start-aws.ts';

const python = motoEnvironment();
if (python.missing) console.warn(`The front of AWS is NOT tested: ${python.missing}`);

describe.skipIf(python.missing !== null)('AWS by moto and its front', () => {
  let aws: Aws;
  let clock: ManualClock;
  let image: string;
  beforeAll(async () => {
    clock = manualClock();
    aws = await startAws(python.path ?? '', { clock });
    [image = ''] = allTexts((await ec2('DescribeImages')).body, 'imageId');
  });
  afterAll(() => aws?.close());
  beforeEach(() => aws.faults.set({}));

  /** Moto finds service and region in the scope; it checks no signature unless that is turned on. */
  const scope = 'Credential=key/20260101/us-east-1/ec2/aws4_request';
  const authorization = `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=host, Signature=0`;

  async function ec2(Action: string, fields: Readonly<Record<string, string>> = {}) {
    const response = await fetch(aws.url, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ Action, Version: '2016-11-15', ...fields }).toString(),
    });
    const body = await response.text();
    return { status: response.status, body, code: firstText(body, 'Code') };
  }

  const launch = (fields: Readonly<Record<string, string>> = {}) =>
    ec2('RunInstances', {
      ...{ ImageId: image, InstanceType: 't3.micro', MinCount: '1', MaxCount: '1', ...fields },
    });
  const idOf = async (launched: ReturnType<typeof launch>) =>
    firstText((await launched).body, 'instanceId') ?? '';

  it('gives one machine for one token, another for another, and none for a changed request', async () => {
    const before = aws.vms().length;
    const [first, second] = await Promise.all([
      idOf(launch({ ClientToken: 'one' })),
      idOf(launch({ ClientToken: 'one' })),
    ]);
    expect(second).toBe(first);
    expect(await idOf(launch({ ClientToken: 'two' }))).not.toBe(first);
    expect(aws.vms()).toHaveLength(before + 2);
    const changed = await launch({ ClientToken: 'one', InstanceType: 't3.small' });
    expect(changed.code).toBe('IdempotentParameterMismatch');
    await ec2('TerminateInstances', { 'InstanceId.1': first });
    const again = await launch({ ClientToken: 'one' });
    expect(again.code).toBe('IdempotentInstanceTerminated');
    expect(aws.vms()).toHaveLength(before + 1);
  });

  it('forgets a token whose request failed', async () => {
    aws.faults.set({ no_capacity: 1 });
    const refused = await launch({ ClientToken: 'later' });
    expect([refused.status, refused.code]).toEqual([500, 'InsufficientInstanceCapacity']);
    aws.faults.set({});
    expect((await launch({ ClientToken: 'later' })).status).toBe(200);
  });

  it('makes the machine of a lost answer once, if its token is used again', async () => {
    const before = aws.vms().length;
    aws.calls.fail(0, 'lost');
    await expect(launch({ ClientToken: 'lost' })).rejects.toThrow();
    expect(aws.vms()).toHaveLength(before + 1);
    const id = await idOf(launch({ ClientToken: 'lost' }));
    expect(aws.vms()).toContain(id);
    expect(aws.vms()).toHaveLength(before + 1);
  });

  it('has placement groups', async () => {
    const group = { GroupName: 'close', Strategy: 'cluster' };
    const inGroup = { 'Placement.GroupName': 'close' };
    expect((await launch(inGroup)).code).toBe('InvalidPlacementGroup.Unknown');
    expect((await ec2('CreatePlacementGroup', group)).status).toBe(200);
    expect((await ec2('CreatePlacementGroup', group)).code).toBe('InvalidPlacementGroup.Duplicate');
    const id = await idOf(launch(inGroup));
    expect((await ec2('DescribePlacementGroups')).body).toContain('<groupName>close</groupName>');
    expect((await ec2('DeletePlacementGroup', group)).code).toBe('InvalidPlacementGroup.InUse');
    await ec2('TerminateInstances', { 'InstanceId.1': id });
    expect((await ec2('DeletePlacementGroup', group)).status).toBe(200);
    const named = { 'GroupName.1': 'close' };
    expect((await ec2('DescribePlacementGroups', named)).code).toBe(
      'InvalidPlacementGroup.Unknown',
    );
  });

  it('attaches a volume to one machine, which is in the same zone', async () => {
    const volume = async (AvailabilityZone: string) =>
      firstText((await ec2('CreateVolume', { AvailabilityZone, Size: '1' })).body, 'volumeId') ??
      '';
    const zone = { 'Placement.AvailabilityZone': 'us-east-1a' };
    const [vm, other] = [await idOf(launch(zone)), await idOf(launch(zone))];
    const attach = (VolumeId: string, InstanceId: string) =>
      ec2('AttachVolume', { VolumeId, InstanceId, Device: '/dev/sdf' });
    expect((await attach(await volume('us-east-1b'), vm)).code).toBe('InvalidVolume.ZoneMismatch');
    const near = await volume('us-east-1a');
    expect((await attach(near, vm)).status).toBe(200);
    expect((await attach(near, other)).code).toBe('VolumeInUse');
    expect((await ec2('DetachVolume', { VolumeId: near, InstanceId: vm })).status).toBe(200);
    expect((await attach(near, other)).status).toBe(200);
  });

  it('hides a new machine for a while where it is eventually consistent, by id and in lists', async () => {
    const old = await idOf(launch());
    clock.advance(10);
    aws.faults.set({ eventual_seconds: 5 });
    const id = await idOf(launch());
    const byId = () => ec2('DescribeInstances', { 'InstanceId.1': id });
    expect((await byId()).code).toBe('InvalidInstanceID.NotFound');
    const list = async () => allTexts((await ec2('DescribeInstances')).body, 'instanceId');
    expect(await list()).toContain(old);
    expect(await list()).not.toContain(id);
    clock.advance(5);
    expect((await byId()).status).toBe(200);
    expect(await list()).toContain(id);
  });

  it('refuses with EC2’s codes', async () => {
    for (const [knobs, status, code] of [
      [{ quota: 0 }, 400, 'VcpuLimitExceeded'],
      [{ refuse: 'credentials' }, 401, 'AuthFailure'],
      [{ refuse: 'permission' }, 403, 'UnauthorizedOperation'],
      [{ rate_limit: 1 }, 503, 'RequestLimitExceeded'],
      [{ error: 1 }, 500, 'InternalError'],
    ] as const) {
      aws.faults.set(knobs);
      const refused = await launch();
      expect([refused.status, refused.code]).toEqual([status, code]);
    }
    aws.faults.set({});
    expect((await launch({ InstanceType: 'none.large' })).code).toMatch(/InvalidInstanceType/);
  });
});
