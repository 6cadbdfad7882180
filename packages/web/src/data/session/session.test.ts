import { type Client, ConnectionError, ForbiddenError } from '@dstack/client';
import { describe, expect, it } from 'vitest';
import { createSession } from './session.ts';

const user = { id: 'u1', username: 'ada' };
const answer = { request: '', status: 403, code: null, fields: [], body: null, requestId: null };
const refused = new ForbiddenError('Invalid token', answer);

/** `get`: what the server answers to the page's session. */
function world(stored: string | null, get: () => unknown = () => ({ user })) {
  let key = stored;
  let changed = () => {};
  const ended: string[] = [];
  const session = createSession({
    url: 'http://x',
    keys: {
      read: () => key,
      write: (next) => {
        key = next;
      },
      remove: () => {
        key = null;
      },
      onChange: (listener) => {
        changed = listener;
      },
    },
    connect: () =>
      ({
        session: {
          get: async () => get(),
          open: async (token: string) => {
            if (token !== 'good') throw refused;
            return { user, key: 'k1' };
          },
          end: async () => void ended.push('this'),
          endAll: async () => void ended.push('all'),
        },
      }) as unknown as Client,
  });
  return {
    session,
    ended,
    get key() {
      return key;
    },
    async otherTab(next: string | null) {
      key = next;
      changed();
      await Promise.resolve();
    },
  };
}

describe('opening the page', () => {
  it('does not ask the server without a key', async () => {
    const w = world(null, () => {
      throw new Error('asked');
    });
    await w.session.check();
    expect(w.session.state).toEqual({ kind: 'signed-out', reason: 'none' });
  });

  it('continues the session', async () => {
    const w = world('k0');
    await w.session.check();
    expect(w.session.state).toMatchObject({ kind: 'signed-in', user });
  });

  it('reports a server that does not answer, and keeps the key', async () => {
    const w = world('k0', () => {
      throw new ConnectionError('http://x', 'GET /api/session', null);
    });
    await w.session.check();
    expect(w.session.state.kind).toBe('unreachable');
    expect(w.key).toBe('k0');
  });
});

describe('signing in', () => {
  it('keeps the key and forgets the token', async () => {
    const w = world(null);
    await w.session.signIn('good', true);
    expect(w.key).toBe('k1');
    expect(w.session.state.kind).toBe('signed-in');
  });

  it('explains a wrong token', async () => {
    const w = world(null);
    await expect(w.session.signIn('bad', true)).rejects.toThrow('does not accept this token');
    expect(w.key).toBeNull();
  });
});

describe('the end of a session', () => {
  it('is noticed when a call was refused', async () => {
    let alive = true;
    const w = world('k0', () => ({ user: alive ? user : null }));
    await w.session.check();
    alive = false;
    await Promise.all([w.session.check(), w.session.check()]);
    await w.session.check();
    expect(w.session.state).toEqual({ kind: 'signed-out', reason: 'ended' });
    expect(w.key).toBeNull();
  });

  it('does not follow from a lost connection', async () => {
    let lost = false;
    const w = world('k0', () => {
      if (lost) throw new ConnectionError('http://x', 'GET /api/session', null);
      return { user };
    });
    await w.session.check();
    lost = true;
    await w.session.check();
    expect(w.session.state.kind).toBe('signed-in');
  });

  it('reaches the other tabs', async () => {
    const w = world('k0');
    await w.session.check();
    await w.otherTab(null);
    expect(w.session.state).toEqual({ kind: 'signed-out', reason: 'left' });
  });

  it('can be asked for, here or everywhere', async () => {
    const w = world('k0');
    await w.session.signOut();
    await w.session.signOut(true);
    expect(w.ended).toEqual(['this', 'all']);
  });
});
