import { expect, it } from 'vitest';
import { EventsSearch, eventFilterOf, eventSelection } from './events-search.ts';

const ID = '7c9e6679-7425-40de-944b-e07fc1f90ae7';
const PROJECT = '00000000-0000-4000-8000-000000000001';
const search = (given: Readonly<Record<string, unknown>>) => EventsSearch.parse(given);

it('reads the addresses that other pages and older versions link to', () => {
  const one = search({ within_runs: ID });
  expect(eventFilterOf(one)).toBe('within_runs');
  expect(eventSelection(one, null)).toEqual({ within_runs: [ID] });
});

it('limits everything to the chosen project, unless something narrower is given', () => {
  expect(eventSelection(search({ type: 'volume' }), PROJECT)).toEqual({
    within_projects: [PROJECT],
    include_target_types: ['volume'],
  });
  expect(eventSelection(search({ within_fleets: ID }), PROJECT)).toEqual({ within_fleets: [ID] });
});

it('ignores what is not an id or a type', () => {
  const odd = search({ target_runs: "' or 1", actor: '<b>', type: 'ship' });
  expect(eventSelection(odd, null)).toEqual({});
});
