import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HostRoutes } from './host-routes.ts';

const HOST = 'api.example.test';

function routes(...paths: readonly string[]): HostRoutes<string> {
  const made = new HostRoutes<string>();
  for (const path of paths) made.add({ project: 'main', host: HOST, path }, path || 'whole');
  return made;
}

it.each([
  ['/embed', '/embed', ''],
  ['/embed/', '/embed', '/'],
  ['/embed?x=/embed/v2', '/embed', '?x=/embed/v2'],
  ['/embed/v1/x?y', '/embed', '/v1/x?y'],
  ['/embed/v2', '/embed/v2', ''],
  ['/embed/v2/x', '/embed/v2', '/x'],
  ['/embed//v2', '/embed', '//v2'],
  ['/embed/v22', '/embed', '/v22'],
  // The same by RFC 3986.
  ['/%65mbed/%762/%2f', '/embed/v2', '/%2f'],
  ['/embeds', '', '/embeds'],
  ['/embed%2fv2', '', '/embed%2fv2'],
  ['/embed%5cx', '', '/embed%5cx'],
  ['/%2565mbed', '', '/%2565mbed'],
  ['//embed', '', '//embed'],
  ['/Embed', '', '/Embed'],
  ['/', '', '/'],
  ['/embed;x', '', '/embed;x'],
])('%s leads to the service at %j, which gets %s', (url, path, rest) => {
  const found = routes('', '/embed', '/embed/v2').find(HOST, url);
  expect(found).toEqual({ service: path || 'whole', prefix: path, rest });
});

it.each(['/embed/../x', '/x/%2e%2E/embed', '/.', '/embed/.', '/embed/.%2e?x', '/..'])(
  '%s is refused where services share a name',
  (url) => {
    expect(() => routes('', '/embed').find(HOST, url)).toThrow('must not have . or ..');
    expect(() => routes('/embed').find(HOST, url)).toThrow('must not have . or ..');
    // A service that is alone gets what was sent.
    expect(routes('').find(HOST, url)?.rest).toBe(url);
  },
);

it('a name without a service for all paths has no other paths', () => {
  expect(routes('/embed').find(HOST, '/embed')?.prefix).toBe('/embed');
  expect(routes('/embed').find(HOST, '/other')).toBeNull();
  expect(routes('/embed').find('other.test', '/embed')).toBeNull();
});

it('the older service keeps a path, and its project the name', () => {
  const made = new HostRoutes<string>();
  made.add({ project: 'main', host: HOST, path: '/a' }, 'older');
  made.add({ project: 'main', host: HOST, path: '/a' }, 'newer');
  made.add({ project: 'lab', host: HOST, path: '/a/b' }, 'stranger');
  made.add({ project: 'lab', host: HOST, path: '' }, 'stranger');
  expect(made.find(HOST, '/a/b/c')).toEqual({ service: 'older', prefix: '/a', rest: '/b/c' });
  expect(made.find(HOST, '/')).toBeNull();
});

it('a path is never read beyond what it begins with, whatever is sent', () => {
  const made = routes('/a', '/a/b', '/c');
  const segment = fc.constantFrom('a', 'b', 'c', '', '%61', '%2f', '%', 'a%', '\\', 'a;b', '%00');
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 12 }), fc.string(), (segments, query) => {
      const path = `/${segments.join('/')}`;
      const found = made.find(HOST, `${path}?${query}`);
      if (found === null) return;
      const { prefix, rest } = found;
      const sent = path.slice(0, path.length - rest.split('?')[0]!.length);
      expect(decodeURIComponent(sent)).toBe(prefix);
      expect(rest === '' || rest.startsWith('/') || rest.startsWith('?')).toBe(true);
    }),
  );
});
