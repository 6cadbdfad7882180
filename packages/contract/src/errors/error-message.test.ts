import { expect, test } from 'vitest';
import { errorMessage } from './error-message.ts';

test('the text of an error is its message', () => {
  expect(errorMessage(new TypeError('no such host'))).toBe('no such host');
});

test('what is thrown without being an error is its own text', () => {
  expect(errorMessage('plain')).toBe('plain');
  expect(errorMessage(undefined)).toBe('undefined');
});

test('an error of several errors without a message of its own names each message once', () => {
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
