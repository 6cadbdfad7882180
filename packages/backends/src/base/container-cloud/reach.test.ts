import { describe, expect, it } from 'vitest';
import { containerReach } from './reach.ts';

const reachOf = (serverUrl: string | null, env = {}, isElsewhere = false) =>
  containerReach(env, { title: 'RunPod', serverUrl, isElsewhere });

describe('containers of a provider reach', () => {
  it('a server with a public URL, and fetch the agent from it', () => {
    expect(reachOf('https://dstack.example/base/')).toEqual({
      problem: null,
      dialUrl: 'wss://dstack.example/base',
      fetchUrl: 'https://dstack.example/base',
    });
    expect(reachOf('https://203.0.113.7:8443').dialUrl).toBe('wss://203.0.113.7:8443');
  });

  it('a mirror, also with plain HTTP', () => {
    const env = { DSTACK_AGENT_URL: 'http://mirror.example/dstack/' };
    expect(reachOf('https://dstack.example', env)).toMatchObject({
      ...{ dialUrl: 'wss://dstack.example', fetchUrl: 'http://mirror.example/dstack' },
    });
    expect(() => reachOf('https://dstack.example', { DSTACK_AGENT_URL: 'mirror' })).toThrow(
      'DSTACK_AGENT_URL is "mirror"; it must be an http or https URL',
    );
  });

  it.each([
    [null, 'RunPod needs a URL of this server that its containers reach'],
    ['http://dstack.example', 'over HTTPS only, not http://dstack.example'],
    ['https://127.0.0.1:3000', 'do not reach 127.0.0.1, a private address'],
    ['https://10.1.2.3', 'do not reach 10.1.2.3'],
    ['https://172.20.0.1', 'do not reach 172.20.0.1'],
    ['https://100.64.0.1', 'do not reach 100.64.0.1'],
    ['https://[::1]', 'do not reach [::1]'],
    ['https://[fd00::1]', 'do not reach [fd00::1]'],
    ['https://localhost', 'do not reach localhost'],
    ['https://dstack.internal', 'do not reach dstack.internal'],
  ])('not %s, and the reason names what to set', (url, why) => {
    const { problem, dialUrl } = reachOf(url);
    expect(problem).toContain(why);
    expect(problem).toContain('set DSTACK_SERVER_URL to a public URL (https://…)');
    expect(dialUrl).toBeNull();
  });

  it('any URL where the API itself is elsewhere than on the internet', () => {
    expect(reachOf('http://10.1.2.3:3000', {}, true).dialUrl).toBe('ws://10.1.2.3:3000');
    expect(reachOf(null, {}, true).problem).not.toBeNull();
  });
});
