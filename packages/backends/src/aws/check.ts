/** Tries the credentials, each right that the adapter needs, and the network of each region. Creates nothing. */
import { errorMessage } from '@dstack/contract/error-message';
import { BusyError, CredentialsError, NoAnswerError } from '../base/errors.ts';
import type { CheckResult } from '../base/port.ts';
import type { AwsClient } from './aws-client.ts';
import { Ec2 } from './ec2.ts';
import type { AwsParameters } from './form.ts';
import { Images } from './images.ts';
import type { Networks } from './networks.ts';
import { type AwsRight, EC2_PERMISSIONS, elbRights, QUOTA_PERMISSION } from './permissions.ts';
import { awsCode, isDenied } from './refusals.ts';
import type { AwsSettings } from './settings.ts';

export interface AwsCheckOptions {
  readonly client: AwsClient;
  readonly settings: AwsSettings;
  readonly networksOf: (region: string) => Pick<Networks, 'network'>;
}

/** A type that every region sells. */
const SMALL = { name: 't3.micro', resources: { gpus: [], cpu_arch: 'x86' as const } };

export async function checkAws(options: AwsCheckOptions): Promise<readonly CheckResult[]> {
  const { client, settings, networksOf } = options;
  const [region = ''] = settings.regions;
  let account = { partition: 'aws', region, account: '' };
  const accepted = await checked('the credentials are accepted', async () => {
    account = { region, ...(await accountOf(client, region)) };
  });
  if (!accepted.ok) return [accepted];
  const checkedNetwork = (one: string) =>
    checked(`a network for machines in ${one}`, async () => void (await networksOf(one).network()));
  const rights = [...EC2_PERMISSIONS, ...elbRights(account)];
  const results = await Promise.all([
    ...[...Map.groupBy(rights, ({ onlyFor = null }) => onlyFor)].map(async ([purpose, group]) => {
      const all = await Promise.all(group.map((right) => checkedRight(options, region, right)));
      return purpose === null ? all : wishedFor(purpose, all);
    }),
    Promise.all([
      checkedQuotas(client, region),
      ...(settings.profile === null ? [] : [checkedProfile(client, region, settings.profile)]),
      ...settings.regions.map(checkedNetwork),
    ]),
  ]);
  return [accepted, ...results.flat()];
}

async function accountOf(client: AwsClient, region: string) {
  const call = { service: 'sts', region, action: 'GetCallerIdentity', kind: 'look' } as const;
  const identity = (await client.xml(call)).at('GetCallerIdentityResult');
  // Such as `arn:aws-cn:iam::123456789012:user/ada`.
  const [, partition = 'aws'] = identity.text('Arn')?.split(':') ?? [];
  return { partition, account: identity.text('Account') ?? '' };
}

async function checkedRight(
  options: AwsCheckOptions,
  region: string,
  { action: right, rehearsal }: AwsRight,
): Promise<CheckResult> {
  const { client } = options;
  const [service, action = ''] = right.split(':');
  return await checked(right, async () => {
    const parameters = rehearsal ?? (await smallMachine(options, region));
    await granted(right, region, async () => {
      if (service === 'ec2') return await client.rehearse({ region, action, parameters });
      const call = { service: 'elasticloadbalancing', region, action, kind: 'look' } as const;
      await client.xml({ ...call, parameters });
    });
  });
}

/** Most backends do well without these rights: missing ones are no failure, and one result names all of them. */
function wishedFor(purpose: string, results: readonly CheckResult[]): readonly CheckResult[] {
  const missing = results.filter(({ ok, unanswered, refused }) => !ok && !unanswered && !refused);
  if (missing.length === 0) return results;
  const names = missing.map(({ name }) => name.replace('aws: ', '')).join(', ');
  const problem = `rights that only ${purpose} need are missing: ${names}; for such gateways attach the policy of docs/backends.md to the user`;
  const others = results.filter((one) => !missing.includes(one));
  return [...others, { name: `aws: rights for ${purpose}`, ok: true, problem }];
}

async function checkedQuotas(client: AwsClient, region: string): Promise<CheckResult> {
  const parameters = { ServiceCode: 'ec2', MaxResults: 1 };
  return await checked(QUOTA_PERMISSION, () =>
    granted(QUOTA_PERMISSION, region, async () => {
      const action = 'ListServiceQuotas';
      await client.json({ service: 'servicequotas', region, action, parameters, kind: 'look' });
    }),
  );
}

async function checkedProfile(client: AwsClient, region: string, name: string) {
  const right = 'iam:GetInstanceProfile';
  return await checked(right, () =>
    granted(right, region, async () => {
      const parameters = { InstanceProfileName: name };
      const call = { service: 'iam', action: 'GetInstanceProfile', kind: 'look' } as const;
      try {
        await client.xml({ ...call, region, parameters });
      } catch (error) {
        if (!awsCode(error)?.startsWith('NoSuchEntity')) throw error;
        throw new Error(`IAM instance profile ${name} not found`);
      }
    }),
  );
}

/** The order of a machine like those that users order, so that nothing but a missing right refuses it. */
async function smallMachine(
  { client, settings, networksOf }: AwsCheckOptions,
  region: string,
): Promise<AwsParameters> {
  const { images, profile } = settings;
  const now = () => 0;
  const choices = images?.cpu ? images : null;
  const image = await new Images(new Ec2(client, region), choices, now).of(SMALL);
  const { subnets } = await networksOf(region).network();
  return {
    ...{ ImageId: image.id, InstanceType: SMALL.name, MinCount: 1, MaxCount: 1 },
    SubnetId: subnets[0]?.id,
    ...(profile !== null && { IamInstanceProfile: { Name: profile } }),
  };
}

/** Every refusal but that of a missing right is about the pretended values. */
async function granted(right: string, region: string, call: () => Promise<void>): Promise<void> {
  try {
    await call();
  } catch (error) {
    const code = awsCode(error);
    const isOther = code !== null && !isDenied(error) && !(error instanceof CredentialsError);
    const isSilent = error instanceof BusyError || error instanceof NoAnswerError;
    if (isOther && !isSilent) return;
    if (!isDenied(error)) throw error;
    throw new Error(
      `${right} is not allowed in ${region}: attach the policy of docs/backends.md to the user (${errorMessage(error)})`,
    );
  }
}

async function checked(name: string, check: () => Promise<void>): Promise<CheckResult> {
  try {
    await check();
    return { name: `aws: ${name}`, ok: true, problem: null };
  } catch (error) {
    return {
      ...{ name: `aws: ${name}`, ok: false, problem: errorMessage(error) },
      unanswered: error instanceof NoAnswerError || error instanceof BusyError,
      refused: error instanceof CredentialsError,
    };
  }
}
