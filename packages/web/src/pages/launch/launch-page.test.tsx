import { ValidationError } from '@dstack/client';
import { configurationJsonSchema } from '@dstack/contract';
import type { RunPlan } from '@dstack/contract/wire';
import { screen, waitFor, within } from '@testing-library/react';
import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

// A busy computer takes longer to read the editor's code than a test may wait for what it shows.
beforeAll(async () => {
  await Promise.all([import('./launch-view.tsx'), import('../../ui/editor/yaml-editor.tsx')]);
}, 120_000);
beforeEach(() => vi.stubGlobal('fetch', async () => Response.json(configurationJsonSchema())));
afterEach(() => vi.unstubAllGlobals());

interface Sent {
  readonly run_spec: { readonly run_name: string | null; readonly configuration: object };
}

function plan(more: Partial<RunPlan> = {}): RunPlan {
  const resources = { cpus: 4, memory_mib: 8192, gpus: [], spot: false, disk: { size_mib: 0 } };
  const instance = { name: 'local-process', resources };
  const offer = { backend: 'remote', region: 'local', price: 0.5, availability: 'idle', instance };
  return {
    project_name: 'main',
    notes: ['fleet a is full'],
    action: 'create',
    current_resource: null,
    run_spec: { configuration: { type: 'task' } },
    effective_run_spec: null,
    job_plans: [
      { job_spec: { job_name: 'x-0-0' }, offers: [offer], total_offers: 7, max_price: 1 },
    ],
    ...more,
  } as unknown as RunPlan;
}

const LOCAL_OFFER = { kind: 'offers', backend: 'local', offer: 'local-process in local', price: 0 };

/** The next submissions are refused. */
const refusal: { error: Error | null } = { error: null };
afterEach(() => {
  refusal.error = null;
});

function world(answer: (sent: Sent) => RunPlan, path = '/runs/launch') {
  const applied: (Sent & { current_resource: unknown })[] = [];
  return renderApp(path, {
    url: 'http://x',
    projects: { list: async () => [{ project_name: 'main' }] as never },
    project: () => ({
      templates: {
        list: async () => [{ name: 't', title: 'Ours', configuration: { type: 'task' } }],
      },
      explainPlan: async () => ({
        considered: (path.includes('project=empty')
          ? []
          : [
              ['near', 'free', 'it takes the run now'],
              ['near', 'free', 'is free', { instance: 'near-0' }],
              ['near', 'free', '1 offer available', LOCAL_OFFER],
              ['far', 'never', 'it gets no new instance: no GPU'],
            ]
        ).map(([fleet, verdict, text, more = { kind: 'fleet' }]) => ({
          ...{ kind: 'instance', fleet, verdict, text, instance: null, backend: null, rule: null },
          ...{ price: null, ...(more as object) },
        })),
      }),
      runs: {
        getPlan: async (sent: Sent) => answer(sent),
        get: async () => aRun('train'),
        apply: async (sent: Sent & { current_resource: unknown }) => {
          applied.push(sent);
          if (refusal.error !== null) throw refusal.error;
          return aRun('train');
        },
      },
    }),
  }).then((app) => ({ ...app, applied }));
}

/** Another element than the disabled one, which explains itself. */
function enabledButton(name: string): Promise<HTMLElement> {
  return waitFor(() => {
    const button = screen.getByRole('button', { name });
    expect(button.getAttribute('aria-disabled')).toBeNull();
    return button;
  });
}

it('shows the plan of the text, and submits what it shows', async () => {
  const current = aRun('train', { status: 'done' });
  const { user, applied, path } = await world(() => plan({ current_resource: current }));
  await screen.findByText('A new run is created. The ended run train is replaced.');
  screen.getByText('fleet a is full');
  await screen.findByText('it gets no new instance: no GPU');
  screen.getByText('cannot take it');
  screen.getByText('near-0 is free');
  screen.getByText('local: 1 offer available (local-process in local, price unknown)');
  within(screen.getByRole('table', { name: 'Offers' })).getByText('local-process');
  screen.getByText('6 more offers are not shown.');
  await user.click(await enabledButton('Submit'));
  await waitFor(() => expect(path()).toBe('/projects/main/runs/train'));
  expect(applied[0]).toMatchObject({
    run_spec: { run_name: 'train', configuration: { type: 'task', python: '3.12' } },
    current_resource: { id: current.id },
  });
});

it.each([
  ['ends', 'A new run is created. It ends at once, because nothing that matches is free now.'],
  ['waits', 'A new run is created. It waits, because nothing that matches is free now.'],
] as const)('reports before a run is submitted that it %s', async (outlook, text) => {
  await world(() => plan({ outlook }));
  await screen.findByText((shown) => shown.startsWith(text));
  screen.getByText(/from \$0.50\/h once one of 7 offers is available/);
});

it('names no price of an offer that has none', async () => {
  const [job] = plan().job_plans;
  const offers = job?.offers.map((offer) => ({ ...offer, price: 0 }));
  await world(() => plan({ job_plans: [{ ...job, offers } as never] }));
  await screen.findByText(/1 job in project main, with the first of 7 offers\./);
});

it.each([
  ['ends', 'It ends at once, because no fleet of the project can take it now.'],
  ['waits', 'It waits until a fleet of the project can take it.'],
] as const)(
  'does not blame the offers of fleets that may just be full for a run that %s',
  async (outlook, text) => {
    const [job] = plan().job_plans;
    await world(() =>
      plan({ outlook, job_plans: [{ ...job, offers: [], total_offers: 0 } as never] }),
    );
    await screen.findByText((shown) => shown.includes(text));
  },
);

it('edits the text by a form, whose fields follow from the schema', async () => {
  const sent: Sent[] = [];
  const { user } = await world((one) => {
    sent.push(one);
    return plan();
  });
  await user.click(await screen.findByRole('radio', { name: 'Form' }));
  expect(screen.queryByRole('textbox', { name: 'Port' })).toBeNull();
  await user.click(await screen.findByRole('radio', { name: 'Service' }));
  await user.type(await screen.findByRole('textbox', { name: 'Port' }), '8000');
  await waitFor(() =>
    expect(sent.at(-1)?.run_spec.configuration).toMatchObject({ type: 'service', port: 8000 }),
  );
});

it('shows what the server refuses at the fields of the form, and the rest below them', async () => {
  const { user } = await world(() => {
    const loc = ['body', 'run_spec', 'configuration', 'task'];
    const fields = [
      { loc: [...loc, 'max_price'], msg: 'is not a price' },
      { loc: [...loc, 'volumes'], msg: 'is not a list' },
    ];
    throw new ValidationError('invalid', {
      ...{ request: '', status: 422, code: null, requestId: null, fields: [] },
      body: { detail: fields },
    });
  });
  await user.click(await screen.findByRole('radio', { name: 'Form' }));
  const field = await screen.findByRole('textbox', { name: 'Highest price' });
  await waitFor(() => expect(field.getAttribute('aria-invalid')).toBe('true'));
  screen.getByText('is not a price');
  screen.getByText(/volumes: is not a list/);
});

it('lists what the server refuses, each with its line', async () => {
  const { user } = await world(() => {
    const loc = ['body', 'run_spec', 'configuration', 'task', 'name'];
    const body = { detail: [{ loc, msg: 'Value error, is too long' }] };
    const answer = { request: '', status: 422, code: null, fields: [], body, requestId: null };
    throw new ValidationError('refused', answer);
  });
  await screen.findByText('Line 2');
  screen.getByText(/name: is too long/);
  const submit = screen.getByRole('button', { name: 'Submit' });
  expect(submit.getAttribute('aria-disabled')).toBe('true');
  await user.click(screen.getByRole('button', { name: 'Template' }));
  await screen.findByRole('menuitem', { name: 'Ours' });
});

it('does not submit over an active run that cannot be changed in place', async () => {
  const { user, applied } = await world(
    () => plan({ current_resource: aRun('train') }),
    '/runs/launch?from=train',
  );
  await screen.findByText(/Stop it, or choose another name/);
  screen.getByRole('region', { name: 'Changes of run train' });
  await user.click(screen.getByRole('button', { name: 'Submit' }));
  expect(applied).toEqual([]);
});

it('shows what another user changed meanwhile, keeps the text, and submits it over that', async () => {
  const run = (priority: number) => {
    const configuration = { type: 'task', name: 'train', commands: ['true'], priority };
    return aRun('train', { run_spec: { run_name: 'train', configuration } as never });
  };
  let current = run(1);
  const made = () => plan({ action: 'update', current_resource: current });
  const { user, applied } = await world(made, '/runs/launch?from=train');
  const submit = await enabledButton('Update the run');
  current = run(2);
  refusal.error = new Error('Failed to apply plan. Resource has been changed.');
  await user.click(submit);
  await screen.findByText('train was changed meanwhile');
  const theirs = screen.getByLabelText('Changes of train by another user');
  expect(theirs.textContent).toContain('priority: 2');
  refusal.error = null;
  await user.click(await enabledButton('Update the run'));
  await waitFor(() => expect(applied).toHaveLength(2));
  expect(applied[1]?.current_resource).toMatchObject({
    run_spec: { configuration: { priority: 2 } },
  });
  expect(applied[1]?.run_spec).toEqual(applied[0]?.run_spec);
});

it('keeps the refusal of a submission on the page when the schema arrives after it', async () => {
  const schema = Promise.withResolvers<Response>();
  vi.stubGlobal('fetch', () => schema.promise);
  refusal.error = new Error('The quota of project main is used up.');
  const { user } = await world(() => plan());
  await user.click(await enabledButton('Submit'));
  await screen.findByText(/The quota of project main is used up/);
  schema.resolve(Response.json(configurationJsonSchema()));
  await user.click(screen.getByRole('radio', { name: 'Form' }));
  await screen.findByRole('radio', { name: 'Service' });
  screen.getByText(/The quota of project main is used up/);
});

it('leads to the form for a fleet where the project has none', async () => {
  await world(() => plan(), '/runs/launch?project=empty');
  const link = await screen.findByRole('link', { name: 'Create a fleet' });
  expect(link.getAttribute('href')).toBe('/projects/main/fleets/add?project=empty');
});
