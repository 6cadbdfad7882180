import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Route, startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, withDirectory } from '../../testing/run-command.ts';

const projects: Route = { json: [{ project_name: 'main' }, { project_name: 'ml' }] };

/** A provider whose log-in page redirects back at once. */
function provider(answer: Route): Record<string, Route> {
  return {
    'POST /api/auth/list_providers': { json: [{ name: 'github', enabled: true }] },
    'POST /api/auth/github/authorize': ({ body }) => {
      const { local_port: port } = body as { local_port: number };
      // As with true providers, the page of the log-in has the state that the redirect will have.
      const back = `http://127.0.0.1:${port}/auth/callback?code=c1&state=s1`;
      return { json: { authorization_url: back } };
    },
    'POST /api/auth/github/callback': answer,
    'POST /api/projects/list': projects,
  };
}

/** Opens the link that the command prints, once. */
function browser(): { onOutput: (text: string) => void; page: () => Promise<Response> } {
  let page: Promise<Response> | null = null;
  const onOutput = (text: string): void => {
    const link = /http:\S+callback\S+/.exec(text)?.[0];
    if (link) page ??= fetch(link);
  };
  return { onOutput, page: () => page as Promise<Response> };
}

test('a log-in by browser configures all projects of the user', () =>
  withDirectory(async (home) => {
    const server = await startFakeServer(
      provider({ json: { username: 'ann', creds: { token: 'tok' } } }),
    );
    const { onOutput, page } = browser();
    const result = await runCommand(['login', '--url', server.url], { home, onOutput });
    expect(result).toMatchObject({ code: 0, out: '' });
    expect(result.err).toContain('configured projects: main, ml (default: main)');
    expect(await (await page()).text()).toContain('You are logged in');
    const { verifier, ...rest } = server.bodyOf('/api/auth/github/callback') as Record<
      string,
      string
    >;
    expect(rest).toEqual({ code: 'c1', state: 's1', base_url: null });
    const { challenge } = server.bodyOf('/api/auth/github/authorize') as Record<string, string>;
    expect(createHash('sha256').update(String(verifier)).digest('base64url')).toBe(challenge);
    const config = await readFile(join(home, '.dstack', 'config.yml'), 'utf8');
    expect(config).toMatch(/default: true\s+name: main\s+token: tok[\s\S]+name: ml/);
  }));

test('a refused log-in is reported in the terminal and in the browser, and changes nothing', () =>
  withDirectory(async (home) => {
    const detail = [{ code: 'error', msg: 'Invalid code' }];
    const { url } = await startFakeServer(provider({ status: 400, json: { detail } }));
    const { onOutput, page } = browser();
    const result = await runCommand(['login', '--url', url], { home, onOutput });
    expect(result.code).toBe(1);
    expect(result.err).toContain('Invalid code');
    expect((await page()).status).toBe(400);
    await expect(readFile(join(home, '.dstack', 'config.yml'))).rejects.toThrow();
  }));

test('a redirect with another state does not end the log-in', () =>
  withDirectory(async (home) => {
    const server = await startFakeServer(provider({ json: { creds: { token: 'tok' } } }));
    const statuses: number[] = [];
    let opened: Promise<void> | null = null;
    const onOutput = (text: string): void => {
      const link = /http:\S+callback\S+/.exec(text)?.[0];
      if (!link) return;
      opened ??= (async () => {
        for (const page of [link.replace('state=s1', 'state=s2').replace('c1', 'evil'), link]) {
          statuses.push((await fetch(page)).status);
        }
      })();
    };
    expect((await runCommand(['login', '--url', server.url], { home, onOutput })).code).toBe(0);
    await opened;
    expect(statuses).toEqual([400, 200]);
    expect(server.bodyOf('/api/auth/github/callback')).toMatchObject({ code: 'c1', state: 's1' });
  }));

test('a server that refuses the challenge is asked without it', () =>
  withDirectory(async (home) => {
    const routes = provider({ json: { creds: { token: 'tok' } } });
    const authorize = routes['POST /api/auth/github/authorize'] as (request: {
      body: unknown;
    }) => Route;
    const server = await startFakeServer({
      ...routes,
      'POST /api/auth/github/authorize': (request) =>
        'challenge' in (request.body as object)
          ? { status: 422, json: { detail: [{ msg: 'extra fields not permitted' }] } }
          : (authorize(request) as never),
    });
    const { onOutput } = browser();
    expect((await runCommand(['login', '--url', server.url], { home, onOutput })).code).toBe(0);
    expect(server.bodyOf('/api/auth/github/callback')).not.toHaveProperty('verifier');
  }));

test('a token is read from the input', () =>
  withDirectory(async (home) => {
    const server = await startFakeServer({ 'POST /api/projects/list': projects });
    const argv = ['login', '--url', server.url, '--with-token', '--no'];
    expect((await runCommand(argv, { home, input: 'tok2\n' })).code).toBe(0);
    expect(server.requests[0]?.headers.authorization).toBe('Bearer tok2');
  }));

test.each([
  [[], 'no log-in providers', '--with-token'],
  [
    [
      { name: 'github', enabled: true },
      { name: 'okta', enabled: true },
    ],
    'several log-in providers',
    '--provider github',
  ],
])('with providers %j the error names the next command', (providers, what, next) =>
  withDirectory(async (home) => {
    const { url } = await startFakeServer({ 'POST /api/auth/list_providers': { json: providers } });
    const { err, code } = await runCommand(['login', '--url', url], { home });
    expect(code).not.toBe(0);
    expect(err).toContain(what);
    expect(err).toContain(next);
  }),
);

test.each(['file:///etc/passwd', '-a Calculator', 'x\u001b[2J', 'javascript:alert(1)'])(
  'a login page that is not a web address (%j) is not opened',
  (authorization_url) =>
    withDirectory(async (home) => {
      const { url } = await startFakeServer({
        'POST /api/auth/list_providers': { json: [{ name: 'okta', enabled: true }] },
        'POST /api/auth/okta/authorize': { json: { authorization_url } },
      });
      const { err, code } = await runCommand(['login', '--url', url], { home });
      expect(code).toBe(1);
      expect(err).toContain('returned an invalid address of a login page');
      expect(err).not.toContain('\u001b');
    }),
);
