import type { Backend } from '@dstack/backends';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { offerSource } from './offer-source.ts';
import type { ProjectBackends } from './project-backends.ts';

it('shows all notes of a backend, or the first of many', async () => {
  let notes: readonly string[] = ['prices are old', 'no quota for G'];
  const backend = { name: 'aws', offers: async () => ({ offers: [], notes }) };
  const backends = { of: async () => [backend as unknown as Backend] };
  const source = offerSource(backends as unknown as ProjectBackends, pino({ level: 'silent' }));
  const question = { ...{ key: 'k', projectId: null, fleetId: null, backends: null } };
  const text = async () => {
    const answer = await source.answer('p', [{ ...question, requirements: {} as never }]);
    return answer.notes.map((note) => note.text);
  };
  expect(await text()).toEqual(['prices are old; no quota for G']);
  notes = ['one', 'two', 'three', 'four', 'five'];
  expect(await text()).toEqual(['one; two; three; and 2 more']);
  notes = [];
  expect(await text()).toEqual([]);
});

it('names closed machines, unless the backend has something more important to say', async () => {
  let notes: string[] = [];
  const offers = async () => ({ offers: [], notes, closed: ['n1 (cordoned)', 'n2 (cordoned)'] });
  const backends = { of: async () => [{ name: 'kubernetes', offers }] as unknown as Backend[] };
  const source = offerSource(backends as unknown as ProjectBackends, pino({ level: 'silent' }));
  const question = { ...{ key: 'k', projectId: null, fleetId: null, backends: null } };
  const answer = () => source.answer('p', [{ ...question, requirements: {} as never }]);
  expect((await answer()).notes).toMatchObject([
    { rule: 'cordoned', text: 'new jobs are kept off n1 (cordoned), n2 (cordoned)' },
  ]);
  notes = ['offers may be out of date'];
  expect((await answer()).notes).toMatchObject([{ rule: 'backend_error' }]);
});

it('keeps an error of one question beside closed machines of another, whose words are bounded', async () => {
  const answers = [
    { offers: [], notes: ['offers may be out of date'] },
    { offers: [], notes: [], closed: ['n1 (drained)'] },
    { offers: [], notes: [], closed: [`n2 (drained (bad\n${'disk '.repeat(100)}))`] },
  ];
  const offers = async () => answers.shift();
  const backends = { of: async () => [{ name: 'slurm', offers }] as unknown as Backend[] };
  const source = offerSource(backends as unknown as ProjectBackends, pino({ level: 'silent' }));
  const question = { projectId: null, fleetId: null, backends: null, requirements: {} as never };
  const ask = (...keys: string[]) =>
    source.answer(
      'p',
      keys.map((key) => ({ ...question, key })),
    );
  expect((await ask('one', 'two')).notes).toMatchObject([{ rule: 'backend_error' }]);
  const [note] = (await ask('three')).notes;
  expect(note?.text).toMatch(/^new jobs are kept off n2 \(drained \(bad disk disk /);
  expect(note?.text.length).toBeLessThan(240);
});

it('merges the offers of backends by price, and keeps the order of those that are ranked', async () => {
  const backendOf = (name: string, prices: readonly number[], isRanked?: boolean) => ({
    name,
    offers: async () => ({ offers: prices.map((price) => ({ price })), notes: [], isRanked }),
  });
  const all = [backendOf('aws', [5, 1, 3]), backendOf('vastai', [4, 2, 6], true)];
  const backends = { of: async () => all as unknown as Backend[] };
  const source = offerSource(backends as unknown as ProjectBackends, pino({ level: 'silent' }));
  const question = { ...{ key: 'k', projectId: null, fleetId: null, backends: null } };
  const { offers } = await source.answer('p', [{ ...question, requirements: {} as never }]);
  expect(offers.get('k')?.map(({ price }) => price)).toEqual([1, 3, 4, 2, 5, 6]);
});
