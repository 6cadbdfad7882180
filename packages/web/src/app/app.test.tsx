import { ConnectionError, ResourceNotExistsError } from '@dstack/client';
import { act, fireEvent, render, screen, waitFor, within } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SignInError } from '../data/session/session.ts';
import { renderApp } from '../testing/render-app.tsx';
import { aRun } from '../testing/runs.ts';
import { MissingPart, PageError } from './page-states.tsx';

const lost = new ConnectionError('http://x', 'POST /api/runs/list', null);

describe('a page without a signed-in user', () => {
  it('asks for the token, and then shows the page of the address', async () => {
    const { user, path } = await renderApp(
      '/runs?q=train',
      { listRuns: async () => [aRun('train')] },
      { kind: 'signed-out', reason: 'none' },
    );
    await user.type(await screen.findByLabelText('Token'), 'secret');
    await user.click(screen.getByRole('button', { name: 'Sign in' }));
    await screen.findByRole('link', { name: 'train' });
    expect(path()).toBe('/runs?q=train');
  });

  it('explains why a token was not accepted', async () => {
    const signIn = async () => {
      throw new SignInError('The server does not accept this token.');
    };
    const signedOut = { kind: 'signed-out', reason: 'ended' } as const;
    const { user } = await renderApp('/', {}, signedOut, { signIn });
    screen.getByText(/session has ended/);
    await user.type(await screen.findByLabelText('Token'), 'x{Enter}');
    expect((await screen.findByRole('alert')).textContent).toContain('does not accept');
  });
});

describe('the frame that the browser paints first', () => {
  it.each([
    ['the shell', undefined, () => screen.findByRole('main')],
    [
      'the sign-in page',
      { kind: 'signed-out', reason: 'none' },
      () => screen.findByLabelText('Token'),
    ],
    [
      'the page of a server that does not answer',
      { kind: 'unreachable', error: lost },
      () => screen.findByText('The server does not answer'),
    ],
  ] as const)('is replaced by %s', async (_name, state, shown) => {
    const frame = document.createElement('div');
    frame.id = 'first-frame';
    document.body.append(frame);
    await renderApp('/', {}, state);
    await shown();
    expect(frame.isConnected).toBe(false);
  });

  it('stays until it is known who is signed in', async () => {
    const frame = document.createElement('div');
    frame.id = 'first-frame';
    document.body.append(frame);
    await renderApp('/', {}, { kind: 'checking' });
    expect(frame.isConnected).toBe(true);
    frame.remove();
  });
});

describe('an address of the official UI', () => {
  it('leads to the page that has its content, and opens its form', async () => {
    const { path } = await renderApp('/users/add', { users: { list: async () => [] } });
    await screen.findByRole('dialog', { name: 'New user' });
    expect(path()).toBe('/users#new');
  });

  it('keeps what it selects', async () => {
    const { path } = await renderApp('/projects/main/events', {});
    await screen.findByRole('heading', { level: 1, name: 'Events' });
    expect(path()).toBe('/events?project=main');
  });

  it('ends the session, and leaves no address that would end the next one', async () => {
    const { user, path } = await renderApp('/logout', {});
    await user.type(await screen.findByLabelText('Token'), 'x{Enter}');
    await screen.findByRole('button', { name: 'Signed in as ada' });
    expect(path()).toBe('/');
  });
});

it('rows and tabs of a page are reached by keys alone', async () => {
  const run = aRun('train');
  const { user, path } = await renderApp('/runs', {
    listRuns: async () => [run],
    project: () => ({ runs: { get: async () => run } }),
  });
  const row = await screen.findByRole('link', { name: 'train' });
  await user.keyboard('j');
  expect(document.activeElement).toBe(row);
  const box = screen.getByRole<HTMLInputElement>('checkbox', { name: 'Select train' });
  await user.keyboard('x');
  expect(box.checked).toBe(true);
  await user.keyboard('x');
  expect(box.checked).toBe(false);
  await user.keyboard('{Enter}');
  await screen.findByRole('link', { name: 'Overview', current: 'page' });
  await user.keyboard(']');
  await screen.findByRole('link', { name: 'Logs', current: 'page' });
  expect(path()).toBe('/projects/main/runs/train/logs');
  await user.keyboard('[[');
  await screen.findByRole('link', { name: 'Overview', current: 'page' });
});

it.each([
  ['/', 'Overview'],
  ['/runs/launch', 'Launch a run'],
  ['/offers', 'Offers'],
  ['/queue', 'Queue'],
  ['/board', 'Capacity board'],
])('%s shows users who are in no project what to do', async (address, title) => {
  const overview = {
    ...{ runs: [], gpus: [], failures: [], has_fleets: false, has_runs: false },
    instances: { total: 0, in_use: 0, unreachable: 0, price: 0, unpriced: 0 },
  };
  const { path, user } = await renderApp(address, {
    server: { overview: async () => overview, listEvents: async () => [] },
  });
  await screen.findByText('You are in no project');
  screen.getByRole('heading', { level: 1, name: title });
  expect(screen.queryByText(/dstack project add/)).toBeNull();
  await user.click(screen.getByRole('link', { name: 'New project' }));
  await screen.findByRole('dialog', { name: 'New project' });
  expect(path()).toBe('/projects#new');
});

describe('a server with providers', () => {
  const signedOut = { kind: 'signed-out', reason: 'none' } as const;
  const providers = [
    { name: 'okta', enabled: true },
    { name: 'entra', enabled: false },
  ];

  it('offers them, and a token on request', async () => {
    const client = { auth: { listProviders: async () => providers } };
    const { user } = await renderApp('/runs', client, signedOut);
    await screen.findByRole('button', { name: 'Continue with Okta' });
    expect(screen.queryByRole('button', { name: /Entra/ })).toBeNull();
    expect(screen.queryByLabelText('Token')).toBeNull();
    await user.click(screen.getByRole('button', { name: 'Sign in with a token' }));
    screen.getByLabelText('Token');
  });

  it('takes tokens also while the list of providers does not come', async () => {
    const client = { auth: { listProviders: () => new Promise<never>(() => {}) } };
    await renderApp('/runs', client, signedOut);
    await screen.findByLabelText('Token', {}, { timeout: 5000 });
  });

  it('reports why the browser cannot go to one', async () => {
    const authorize = async () => {
      throw new Error('Okta does not answer this server: timeout.');
    };
    const client = { auth: { listProviders: async () => providers, authorize } };
    const { user } = await renderApp('/runs', client, signedOut);
    await user.click(await screen.findByRole('button', { name: 'Continue with Okta' }));
    await screen.findByText('Okta does not answer this server: timeout.');
  });
});

describe('a lost server', () => {
  it('is reported, and what was loaded stays', async () => {
    const { live } = await renderApp('/runs', { listRuns: async () => [aRun('train')] });
    await screen.findByRole('link', { name: 'train' });
    act(() => live.onState({ kind: 'offline', updatedAt: Date.now() - 12_000, retryAt: 0 }));
    expect(screen.getByRole('alert').textContent).toMatch(
      /The server does not answer.* Trying again now\./,
    );
    screen.getByRole('link', { name: 'train' });
    act(() => live.onState({ kind: 'polling', updatedAt: Date.now() }));
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('is an error of the list where nothing was loaded', async () => {
    let answers = false;
    const listRuns = async () => {
      if (!answers) throw lost;
      return [aRun('train')];
    };
    const { user } = await renderApp('/runs', { listRuns });
    const alert = await screen.findByRole('alert');
    expect(alert.textContent).toContain('The runs could not be loaded');
    answers = true;
    await user.click(within(alert).getByRole('button', { name: 'Try again' }));
    await screen.findByRole('link', { name: 'train' });
  });
});

describe('addresses that lead nowhere', () => {
  it('are reported inside of the frame', async () => {
    await renderApp('/nonsense', {});
    await screen.findByText('There is no such page');
    screen.getByRole('navigation', { name: 'Sections' });
  });

  it('name the run that does not exist', async () => {
    const answer = { request: '', status: 400, code: 'resource_not_exists', fields: [] };
    const get = async () => {
      throw new ResourceNotExistsError('Run not found', { ...answer, body: null, requestId: 'r1' });
    };
    await renderApp('/projects/main/runs/old', { project: () => ({ runs: { get } }) });
    const alert = await screen.findByRole('alert');
    expect(alert.textContent).toContain('There is no run old');
    expect(alert.textContent).toContain('resource_not_exists · r1');
  });
});

describe('the command palette', () => {
  it('opens by keyboard, finds a run and goes there', async () => {
    const { user, path } = await renderApp('/runs', {
      listRuns: async () => [aRun('train'), aRun('serve')],
      project: () => ({
        runs: { get: async () => aRun('serve') },
        logs: { stream: async function* () {} },
      }),
    });
    await screen.findByRole('link', { name: 'train' });
    await user.keyboard('{Control>}k{/Control}');
    const input = await screen.findByRole('combobox', { name: 'Search or jump to' });
    await user.type(input, 'serv');
    await screen.findByRole('option', { name: /serve/ });
    await user.keyboard('{Enter}');
    await waitFor(() => expect(path()).toBe('/projects/main/runs/serve'));
  });
});

it('gives what is typed right after the key of the palette to the palette, not to the page', async () => {
  const { path } = await renderApp('/runs', { listRuns: async () => [aRun('train')] });
  await screen.findByRole('link', { name: 'train' });
  fireEvent.keyDown(document.body, { key: 'k', ctrlKey: true });
  for (const key of 'c/serve') fireEvent.keyDown(document.body, { key });
  const input = await screen.findByRole<HTMLInputElement>('combobox', {
    name: 'Search or jump to',
  });
  await waitFor(() => expect(input.value).toBe('c/serve'));
  expect(path()).toBe('/runs');
});

describe('a server that was upgraded while the page was open', () => {
  const page = (script: string) =>
    vi.stubGlobal('fetch', async () => new Response(`<script src="/assets/${script}">`));
  const entry = Object.assign(document.createElement('script'), {
    type: 'module',
    src: '/assets/index-old.js',
  });
  beforeEach(() => document.head.append(entry));
  afterEach(() => {
    entry.remove();
    vi.unstubAllGlobals();
  });

  it('is reported when a part of the page does not arrive, with a reload', async () => {
    await renderApp('/runs', {});
    page('index-old.js');
    act(() => void window.dispatchEvent(new Event('vite:preloadError')));
    page('index-new.js');
    act(() => void window.dispatchEvent(new Event('vite:preloadError')));
    await screen.findByText(/The server was updated/);
    screen.getByRole('button', { name: 'Reload the page' });
  });

  it('is reported when the connection is back', async () => {
    const { live } = await renderApp('/runs', {});
    page('index-new.js');
    act(() => live.onState({ kind: 'live', since: 0 }));
    act(() => live.onState({ kind: 'offline', updatedAt: null, retryAt: 0 }));
    act(() => live.onState({ kind: 'live', since: 1 }));
    await screen.findByText(/The server was updated/);
  });

  it.each([
    ['index-new.js', 'A new version of the web UI is available'],
    ['index-old.js', 'A part of the web UI could not be loaded'],
  ])(
    'is distinguished from a lost connection where a page cannot be shown: %s',
    async (script, title) => {
      page(script);
      const error = new Error('Unable to preload CSS for /assets/run-page.css');
      render(<PageError error={error} reset={() => {}} />);
      await screen.findByRole('heading', { name: title });
    },
  );
});

it('loads a page whose code did not arrive once the server answers again', async () => {
  const entry = Object.assign(document.createElement('script'), {
    type: 'module',
    src: '/assets/index.js',
  });
  document.head.append(entry);
  let answer: Response | null = null;
  vi.stubGlobal('fetch', async () => {
    if (answer === null) throw new TypeError('Failed to fetch');
    return answer;
  });
  let later = () => {};
  const reload = vi.fn();
  const setTimer = (run: () => void) => {
    later = run;
    return () => {};
  };
  render(<MissingPart reload={reload} setTimer={setTimer} />);
  await screen.findByText(/The page is loaded again as soon as it does/);
  expect(reload).not.toHaveBeenCalled();
  answer = new Response('<script src="/assets/index.js">');
  act(() => later());
  await waitFor(() => expect(reload).toHaveBeenCalledTimes(1));
  entry.remove();
  vi.unstubAllGlobals();
});

it('moves the focus to the content after a navigation', async () => {
  const { user } = await renderApp('/runs', {
    listRuns: async () => [aRun('train')],
    project: () => ({
      runs: { get: async () => aRun('train') },
      logs: { stream: async function* () {} },
    }),
  });
  await user.click(await screen.findByRole('link', { name: 'train' }));
  await screen.findByRole('heading', { level: 1, name: /train/ });
  await waitFor(() => expect(document.activeElement?.closest('main')).not.toBeNull());
});
