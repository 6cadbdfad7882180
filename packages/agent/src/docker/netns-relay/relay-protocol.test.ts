import { expect, it } from 'vitest';
import { LineReader, parseRequest } from './relay-protocol.ts';

it('takes a line in any pieces and keeps what follows', () => {
  const reader = new LineReader();
  expect(reader.push(Buffer.from('a'))).toBeNull();
  const done = reader.push(Buffer.from('b\ncd'));
  expect([done?.line, done?.rest.toString()]).toEqual(['ab', 'cd']);
  expect(() => new LineReader().push(Buffer.alloc(1024, 'x'))).toThrow();
});

it.each(['', '{}', '{"host":1,"port":2}', '{"host":"a","port":70000}', '[1]', 'null'])(
  'takes %s for no request',
  (line) => {
    expect(parseRequest(line)).toBeNull();
  },
);
