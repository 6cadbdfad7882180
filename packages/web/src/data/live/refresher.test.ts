import { QueryClient } from '@tanstack/react-query';
import { afterEach, expect, it, vi } from 'vitest';
import { Refresher } from './refresher.ts';

afterEach(() => vi.unstubAllGlobals());

it('asks at once, and once more for all changes of a pause', () => {
  const cache = new QueryClient();
  const asked: string[] = [];
  cache.invalidateQueries = async (filters) => void asked.push(String(filters?.queryKey));
  const pauses: (() => void)[] = [];
  const refresher = new Refresher(cache, (run) => pauses.push(run));
  for (let i = 0; i < 5; i++) refresher.refresh(['fleet', 'list']);
  refresher.refresh(['volume']);
  expect(asked).toEqual(['fleet,list', 'volume']);
  for (const end of pauses.splice(0)) end();
  expect(asked).toEqual(['fleet,list', 'volume', 'fleet,list']);
  for (const end of pauses.splice(0)) end();
  refresher.refresh(['fleet', 'list']);
  expect(asked).toHaveLength(4);
});

it('asks for nothing while the page is hidden, and then once for each thing that is outdated', () => {
  const cache = new QueryClient();
  const asked: string[] = [];
  cache.invalidateQueries = async (filters) => void asked.push(String(filters?.queryKey));
  let isHidden = true;
  const refresher = new Refresher(
    cache,
    () => {},
    () => isHidden,
  );
  for (let i = 0; i < 5; i++) refresher.refresh(['fleet', 'list']);
  refresher.refresh(['volume']);
  expect(asked).toEqual([]);
  isHidden = false;
  refresher.resume();
  expect(asked).toEqual(['fleet,list', 'volume']);
});

it('pauses by the timer of a browser, which cannot be a method of another object', () => {
  const cache = new QueryClient();
  const asked: string[] = [];
  cache.invalidateQueries = async (filters) => void asked.push(String(filters?.queryKey));
  const pauses: { readonly end: () => void; readonly ms: number }[] = [];
  vi.stubGlobal('setTimeout', function (this: unknown, end: () => void, ms: number) {
    if (this !== undefined && this !== globalThis) throw new TypeError('Illegal invocation');
    pauses.push({ end, ms });
  });
  const refresher = new Refresher(cache);
  refresher.refresh(['fleet', 'list']);
  refresher.refresh(['board', 'main']);
  refresher.refresh(['fleet', 'list']);
  expect(pauses.map(({ ms }) => ms)).toEqual([300, 2000]);
  for (const { end } of pauses.splice(0)) end();
  expect(asked).toEqual(['fleet,list', 'board,main', 'fleet,list']);
});
