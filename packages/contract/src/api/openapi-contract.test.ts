/** Compares our description of the API with that of dstack 0.22.5. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openApiDocument } from './openapi.ts';
import { compareDocuments, type Document } from './testing/compare-openapi.ts';

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../testdata/api/${name}`, import.meta.url), 'utf8'));

const theirs = read('openapi.json') as Document;
const ours = openApiDocument() as unknown as Document;
const reviewed = read('openapi-differences.json') as { difference: string; reason: string }[];

describe('our OpenAPI document', () => {
  it('accepts and returns the same as clients of dstack 0.22.5 send and read, except for reviewed differences', () => {
    expect(compareDocuments(theirs, ours)).toEqual(reviewed.map((one) => one.difference).sort());
    expect(reviewed.filter((one) => one.reason.length < 20)).toEqual([]);
  });
});

describe('the comparison', () => {
  function changed(path: string[], value: unknown): Document {
    const copy = structuredClone(ours) as unknown as Record<string, unknown>;
    const last = path.at(-1) ?? '';
    const holder = path.slice(0, -1).reduce((part, key) => part[key] as never, copy);
    holder[last] = value;
    return copy as unknown as Document;
  }
  const schema = (...path: string[]) => ['components', 'schemas', ...path];

  it.each([
    ['a missing path', ['paths', '/api/users/list'], {}, /operation post .*: is missing/],
    [
      'a field that is no longer accepted',
      schema('GetUserRequest', 'properties'),
      {},
      /request GetUserRequest.username: is missing/,
    ],
    [
      'a field that is no longer sent',
      schema('Secret', 'properties'),
      { id: { type: 'string' }, name: { type: 'string' } },
      /response Secret.value: is missing/,
    ],
    [
      'a field of another type',
      schema('User', 'properties', 'active'),
      { type: 'string' },
      /response User.active: string is not known/,
    ],
    [
      'a word that is not known',
      schema('GlobalRole'),
      { type: 'string', enum: ['admin', 'user', 'guest'] },
      /guest/,
    ],
    [
      'a field that was not asked for before',
      schema('GetUserRequest', 'required'),
      ['username', 'reason'],
      /request GetUserRequest.reason: is required/,
    ],
  ])('finds %s', (_what, path, value, difference) => {
    const found = compareDocuments(ours, changed(path, value));
    expect(found.filter((one) => difference.test(one))).not.toEqual([]);
    expect(compareDocuments(ours, ours)).toEqual([]);
  });
});
