import { duplexPair } from 'node:stream';
import { expect, it } from 'vitest';
import { GatewayAnswers, type GatewayAnswersOptions } from './gateway-answers.ts';
import type { GatewayLink } from './gateway-link.ts';

const QUESTION = {
  ...{ type: 'tunnel' as const, id: 'c0b8b1c6-6f7d-4c1b-9b7e-0a9b3c1d2e3f', host_id: 'host' },
  ...{ job_id: '7d5f0a3e-2b1c-4d8e-9f60-1a2b3c4d5e6f', port: 8000 },
} as const;

it('ends the request of a gateway if the replica is lost while its connection is made', async () => {
  const [replica] = duplexPair();
  const [toGateway] = duplexPair();
  const answers = new GatewayAnswers({
    open: async () => replica,
  } as Partial<GatewayAnswersOptions> as GatewayAnswersOptions);
  const link = {
    openTunnel: async () => {
      replica.destroy();
      await new Promise((resolve) => replica.once('close', resolve));
      return toGateway;
    },
  } as Partial<GatewayLink> as GatewayLink;
  await answers.answer(link, QUESTION);
  expect(toGateway.destroyed).toBe(true);
});
