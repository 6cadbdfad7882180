import { expect, it } from 'vitest';
import { findEntries, groupEntries, type PaletteEntry } from './palette-entries.ts';

const entry = (label: string, group = 'Runs', keywords?: string): PaletteEntry => ({
  id: label,
  group,
  label,
  keywords,
  run: () => {},
});
const entries = [
  entry('Runs', 'Go to'),
  entry('train-llama'),
  entry('train-mistral'),
  entry('Use the dark theme', 'Appearance', 'night'),
];
const labels = (query: string) => findEntries(entries, query).map(({ label }) => label);

it('finds by parts of words, with one slip', () => {
  expect(labels('llama')).toEqual(['train-llama']);
  expect(labels('train')).toEqual(['train-llama', 'train-mistral']);
  expect(labels('mstral')).toEqual(['train-mistral']);
});

it('finds by words that are not shown', () => {
  expect(labels('night')).toEqual(['Use the dark theme']);
});

it('finds nothing by a foreign word', () => {
  expect(labels('zebra')).toEqual([]);
});

it('shows at most fifty of many', () => {
  const many = Array.from({ length: 10_000 }, (_, i) => entry(`run-${i}`));
  expect(findEntries(many, 'run')).toHaveLength(50);
});

it('groups in the order of the matches', () => {
  expect(groupEntries(entries).map(({ value }) => value)).toEqual(['Go to', 'Runs', 'Appearance']);
});
