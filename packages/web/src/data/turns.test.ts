import { expect, it } from 'vitest';
import { turns } from './turns.ts';

const settled = () => new Promise((resolve) => setImmediate(resolve));

it('makes so many calls at a time, the others in their order, also after one that fails', async () => {
  const inTurn = turns(2);
  const begun: string[] = [];
  const end = new Map<string, (error?: Error) => void>();
  const call = (name: string) => () => {
    begun.push(name);
    return new Promise<string>((resolve, reject) =>
      end.set(name, (error) => (error ? reject(error) : resolve(name))),
    );
  };
  const { signal } = new AbortController();
  const left = new AbortController();
  const a = inTurn(call('a'), signal);
  const failing = expect(inTurn(call('b'), signal)).rejects.toThrow('refused');
  const aborted = expect(inTurn(call('c'), left.signal)).rejects.toThrow('not shown');
  const d = inTurn(call('d'), signal);
  left.abort(new Error('not shown'));
  expect(begun).toEqual(['a', 'b']);
  end.get('b')?.(new Error('refused'));
  await settled();
  expect(begun).toEqual(['a', 'b', 'd']);
  end.get('a')?.();
  end.get('d')?.();
  expect([await a, await d]).toEqual(['a', 'd']);
  await Promise.all([failing, aborted]);
});

it('goes on after a call that throws before it returns anything', async () => {
  const inTurn = turns(1);
  const { signal } = new AbortController();
  const throwing = inTurn(() => {
    throw new Error('no such call');
  }, signal);
  await expect(throwing).rejects.toThrow('no such call');
  expect(await inTurn(async () => 'next', signal)).toBe('next');
});
