import { expect, test } from 'vitest';
import { errorMessage } from './error-message.ts';

test('the text of an error is its message', () => {
  expect(errorMessage(new TypeError('no such host'))).toBe('no such host');
});

test('a thrown value that is not an error is converted to text', () => {
  expect(errorMessage('plain')).toBe('plain');
  expect(errorMessage(undefined)).toBe('undefined');
});

test('an error of several errors without its own message names each message once', () => {
  const refused = (address: string) => new Error(`connect ECONNREFUSED ${address}`);
  const errors = [refused('::1:80'), refused('127.0.0.1:80'), refused('::1:80')];
  expect(errorMessage(new AggregateError(errors))).toBe(
    'connect ECONNREFUSED ::1:80; connect ECONNREFUSED 127.0.0.1:80',
  );
  expect(errorMessage(new AggregateError(errors, 'all failed'))).toBe('all failed');
});

test('an error without any message is named by its kind', () => {
  expect(errorMessage(new RangeError())).toBe('RangeError');
  expect(errorMessage(new AggregateError([]))).toBe('AggregateError');
});
