/** Claims on the tag of a server: key pairs of EC2, whose tag has what other providers keep as a comment. */
import type { Claims } from '../base/port.ts';
import { type KeyOfAccount, keyClaims } from '../base/rest-vm/key-claims.ts';
import type { AwsClient } from './aws-client.ts';
import { tagsOf } from './ec2.ts';
import type { AwsParameters } from './form.ts';
import { tagSpecification } from './tags.ts';

const TAG = 'dstack-claim';
const US_PER_MS = 1000;

/**
 * One place for all installations of an account, whatever their regions: only one that sees the claims of all may
 * end machines.
 */
export function claimsRegion(regions: readonly string[]): string {
  const [first = ''] = regions;
  if (first.startsWith('cn-')) return 'cn-north-1';
  return first.startsWith('us-gov-') ? 'us-gov-west-1' : 'us-east-1';
}

export function awsClaims(client: AwsClient, region: string): Claims {
  const change = async (action: string, parameters: AwsParameters): Promise<void> => {
    await client.xml({ service: 'ec2', region, action, parameters, kind: 'look' });
  };
  return keyClaims({
    title: 'AWS',
    list: async () => {
      const action = 'DescribeKeyPairs';
      const { answer, at } = await client.timed({ service: 'ec2', region, action, kind: 'look' });
      const keys = answer.items('keySet').map((item): KeyOfAccount => {
        const name = item.text('keyName') ?? '';
        const comment = tagsOf(item)[TAG] ?? '';
        return { id: name, name, publicKey: `ssh-ed25519 key ${comment}` };
      });
      return { keys, time: at === null ? null : at * US_PER_MS };
    },
    add: async (name, publicKey) => {
      const [type = '', key = '', comment = ''] = publicKey.split(' ');
      await change('ImportKeyPair', {
        ...{ KeyName: name, PublicKeyMaterial: Buffer.from(`${type} ${key}`).toString('base64') },
        TagSpecification: [tagSpecification('key-pair', { [TAG]: comment })],
      });
    },
    remove: (id) => change('DeleteKeyPair', { KeyName: id }),
  });
}
