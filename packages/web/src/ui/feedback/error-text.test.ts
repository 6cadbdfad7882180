import {
  ConnectionError,
  ForbiddenError,
  ResourceNotExistsError,
  ServerError,
} from '@dstack/client';
import { expect, it } from 'vitest';
import { errorText, withFullStop } from './error-text.ts';

const answer = {
  request: 'POST /api/x',
  status: 400,
  code: 'resource_not_exists',
  fields: [],
  body: null,
  requestId: 'req-1',
};

it.each([
  [new ConnectionError('http://x', 'POST /api/x', null), 'offline'],
  [new ForbiddenError('Access denied', answer), 'forbidden'],
  [new ResourceNotExistsError('Run not found', answer), 'missing'],
  [new ServerError('failed', answer), 'server'],
  [new TypeError('x is undefined'), 'bug'],
])('%s is of the kind %s', (error, kind) => {
  expect(errorText(error).kind).toBe(kind);
});

it('keeps the code and the request id for reports', () => {
  const text = errorText(new ResourceNotExistsError('Run not found', answer));
  expect(text).toMatchObject({ code: 'resource_not_exists', requestId: 'req-1' });
});

it('ends a message before what follows it', () => {
  expect(withFullStop('Run not found')).toBe('Run not found.');
  expect(withFullStop('Is it there?')).toBe('Is it there?');
  expect(withFullStop('')).toBe('');
});
