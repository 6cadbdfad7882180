import type { GatewayCertificateState } from '@dstack/core';
import { expect, it } from 'vitest';
import { certificatesOf } from './certificates-of.ts';

const certificate = (
  domain: string,
  state: GatewayCertificateState['state'],
  message: string | null = null,
): GatewayCertificateState => ({
  ...{ domain, source: 'acme', state, expiresAt: null, renewsAt: null, message },
});

it('of the replicas of a gateway, the one with the worst certificate for a name counts', () => {
  const [first, second] = [
    [certificate('a', 'valid'), certificate('b', 'pending'), certificate('c', 'valid', 'no zone')],
    [certificate('a', 'pending'), certificate('b', 'failed', 'no DNS'), certificate('c', 'valid')],
  ];
  const found = certificatesOf([{ certificates: first }, { certificates: second }]);
  expect(found).toEqual([second[0], second[1], first[2]]);
});
