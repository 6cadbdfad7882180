import type { Client } from '@dstack/client';
import { beforeEach, expect, it } from 'vitest';
import { goToProvider, takePendingSignIn } from './provider-sign-in.ts';

const kept = new Map<string, string>();
const storage = {
  getItem: (name: string) => kept.get(name) ?? null,
  setItem: (name: string, value: string) => void kept.set(name, value),
  removeItem: (name: string) => void kept.delete(name),
} as unknown as Storage;
const take = () => takePendingSignIn(() => storage);

beforeEach(() => kept.clear());

async function goTo(url: string, path = '/runs?project=main'): Promise<string | null> {
  let left: string | null = null;
  const assign = (to: string | URL) => {
    left = String(to);
  };
  const client = { auth: { authorize: async () => ({ authorization_url: url }) } };
  const window = { location: { assign } as Location, sessionStorage: storage };
  await goToProvider(client as unknown as Client, 'okta', { path, persistent: true }, window);
  return left;
}

it('goes to the provider and remembers where the person was, once', async () => {
  expect(await goTo('https://okta.example/authorize')).toBe('https://okta.example/authorize');
  expect(take()).toEqual({ path: '/runs?project=main', persistent: true });
  expect(take()).toEqual({ path: '/', persistent: false });
});

it('goes to web pages only', async () => {
  await expect(goTo('javascript:alert(1)')).rejects.toThrow('javascript');
});

it.each(['//evil.example', '/\\evil.example', 'https://evil.example', '/auth/okta/callback', 7])(
  'does not return to %j',
  async (path) => {
    await goTo('https://okta.example', path as string);
    expect(take().path).toBe('/');
  },
);
