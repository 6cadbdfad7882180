import type { IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { toOriginForm } from './origin-form.ts';

function formed(url: string, ...hosts: string[]) {
  const rawHeaders = [...hosts.flatMap((host) => ['Host', host]), 'Accept', '*/*'];
  const request = { url, rawHeaders, headers: { host: hosts[0] } };
  toOriginForm(request as unknown as IncomingMessage);
  const left = request.rawHeaders.flatMap((name, n) => (name === 'Host' ? rawHeaders[n + 1] : []));
  return [request.url, request.headers.host, left];
}

it.each([
  ['/a?b=http://c', 'x', '/a?b=http://c', 'x'],
  ['http://y:8080/a?b', 'x', '/a?b', 'y:8080'],
  ['HTTPS://y', 'x', '/', 'y'],
  ['http://y?b', 'x', '/?b', 'y'],
  ['http:///a', 'x', '/a', 'x'],
  ['*', 'x', '/*', 'x'],
])('the host in the URL %s counts, and not %s of the header', (url, host, path, leads) => {
  expect(formed(url, host)).toEqual([path, leads, [leads]]);
});

it('a request without the header gets one', () => {
  expect(formed('http://y/a')).toEqual(['/a', 'y', ['y']]);
});

it('several headers stay, so that the request is refused', () => {
  expect(formed('http://y/a', 'x', 'z')).toEqual(['/a', 'x', ['x', 'z']]);
});
