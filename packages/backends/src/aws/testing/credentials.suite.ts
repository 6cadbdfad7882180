/** Credentials of AWS, with moto's checks of signatures and rights. */
import { afterEach, describe, expect, it } from 'vitest';
import { CredentialsError } from '../../base/errors.ts';
import { REQUIREMENTS } from '../../base/testing/orders.ts';
import type { AwsCredentials } from '../aws-client.ts';
import { ELB_PERMISSIONS, policyDocument } from '../permissions.ts';
import type { AwsWorld } from './aws-world.ts';

export function describeCredentials(world: () => AwsWorld): void {
  describe('credentials', () => {
    /** Makes keys of a user with a policy; from then on moto checks signatures and rights. */
    async function keysWith(policy: object): Promise<AwsCredentials> {
      const iam = async (Action: string, fields: Readonly<Record<string, string>> = {}) => {
        const scope = 'Credential=test/20260101/us-east-1/iam/aws4_request';
        const response = await fetch(world().moto.url, {
          method: 'POST',
          headers: {
            authorization: `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=host, Signature=0`,
            'content-type': 'application/x-www-form-urlencoded',
          },
          body: new URLSearchParams({ Action, Version: '2010-05-08', UserName: 'ada', ...fields }),
        });
        return await response.text();
      };
      await iam('CreateUser');
      const PolicyDocument = JSON.stringify(policy);
      await iam('PutUserPolicy', { PolicyName: 'dstack', PolicyDocument });
      const made = await iam('CreateAccessKey');
      const text = (name: string) => new RegExp(`<${name}>([^<]*)`).exec(made)?.[1] ?? '';
      await checkAuthorization('0');
      return {
        ...{ accessKey: text('AccessKeyId'), secretKey: text('SecretAccessKey') },
        sessionToken: null,
      };
    }
    const checkAuthorization = (after: string) =>
      fetch(`${world().moto.url}/moto-api/reset-auth`, { method: 'POST', body: after });
    afterEach(async () => void (await checkAuthorization('1000000')));

    it('with the policy of the documentation are enough for everything', async () => {
      const own = world().backendWith(
        { tags: { 'a b': 'c * d' } },
        await keysWith(policyDocument()),
      );
      const results = await own.check();
      expect(results.filter(({ ok }) => !ok)).toEqual([]);
      expect(results.map(({ name }) => name)).toContain('aws: ec2:RunInstances');
      const handle = await world().create(await world().order({}, own), own);
      expect(await own.instances?.release(handle)).toBe('releasing');
    });

    it('that lack rights are checked without making anything, and each missing one is named', async () => {
      const Statement = [
        { Effect: 'Allow', Action: 'ec2:Describe*', Resource: '*' },
        { Effect: 'Allow', Action: 'ec2:RunInstances', Resource: '*' },
      ];
      const own = world().backendWith({}, await keysWith({ Version: '2012-10-17', Statement }));
      const results = await own.check();
      const missing = results.filter(({ ok }) => !ok);
      expect(missing.map(({ name }) => name)).toEqual([
        'aws: ec2:AttachVolume',
        'aws: ec2:AuthorizeSecurityGroupEgress',
        'aws: ec2:AuthorizeSecurityGroupIngress',
        'aws: ec2:CreateSecurityGroup',
        'aws: ec2:CreateTags',
        'aws: ec2:CreateVolume',
        'aws: ec2:DeleteKeyPair',
        'aws: ec2:DeleteVolume',
        'aws: ec2:DetachVolume',
        'aws: ec2:ImportKeyPair',
        'aws: ec2:TerminateInstances',
      ]);
      // Without gateways nothing is wrong.
      const advice = results.flatMap(({ ok, problem }) =>
        ok && problem !== null ? [problem] : [],
      );
      const addresses = ['AllocateAddress', 'AssociateAddress', 'ReleaseAddress'];
      const named = (purpose: string, rights: readonly string[]) =>
        expect.stringContaining(`that only ${purpose} need are missing: ${rights.join(', ')}; for`);
      expect(advice).toEqual([
        named(
          'gateways at elastic addresses',
          addresses.map((action) => `ec2:${action}`),
        ),
        named('gateways with load balancers', ELB_PERMISSIONS),
      ]);
      const last = missing.find(({ name }) => name === 'aws: ec2:TerminateInstances');
      expect(last?.problem).toMatch(
        /^ec2:TerminateInstances is not allowed in us-east-1: attach the policy of docs\/backends.md/,
      );
      expect(missing.some(({ refused }) => refused)).toBe(false);
      expect(world().aws.vms()).toEqual([]);
    });

    it('that are wrong are refused before they are used', async () => {
      const keys = await keysWith(policyDocument());
      const own = world().backendWith({}, { ...keys, secretKey: 'wrong' });
      expect(await own.check()).toMatchObject([{ ok: false, refused: true, unanswered: false }]);
      await expect(own.offers(REQUIREMENTS.met)).rejects.toThrow(CredentialsError);
    });
  });
}
