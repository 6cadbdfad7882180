import { expect, it } from 'vitest';
import { agentSecret } from './agent-secret.ts';

it('the secret of agents is made once for all servers, and stored encrypted', async () => {
  const values = new Map<string, string>();
  const meta = {
    get: async (key: string) => values.get(key) ?? null,
    setOnce: async (key: string, value: string) => {
      if (!values.has(key)) values.set(key, value);
      return values.get(key) ?? value;
    },
  };
  const cipher = {
    encrypt: (text: string) => `sealed ${text}`,
    decrypt: (text: string) => text.replace('sealed ', ''),
  };
  const store = { meta, cipher } as unknown as Parameters<typeof agentSecret>[0];
  const [one, other] = await Promise.all([agentSecret(store), agentSecret(store)]);
  expect(one).toMatch(/^[0-9a-f]{64}$/);
  expect(other).toBe(one);
  expect([...values.values()]).toEqual([`sealed ${one}`]);
});
