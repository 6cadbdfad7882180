import { expect, it } from 'vitest';
import { ServiceConfiguration } from './service.ts';

const service = (hosts: readonly unknown[]) =>
  ServiceConfiguration.safeParse({ type: 'service', port: 80, commands: ['serve'], hosts });

it('host names of a service are names in DNS, in lower case', () => {
  expect(service(['Chat.Example.com', 'xn--bcher-kva.example']).data?.hosts).toEqual([
    ...['chat.example.com', 'xn--bcher-kva.example'],
  ]);
});

it.each([
  ...['localhost', '10.0.0.1', '::1', '*.example.com', 'a..b', '-a.example', 'a_b.example'],
  ...['a.example.', 'a.example:80', 'https://a.example', 'a.example\n', '', '/x'],
  ...['b\u00fccher.example', `${'a'.repeat(64)}.example`, `${'a.'.repeat(127)}example`],
  '_dstack.example',
])('%j is no host name of a service', (host) => {
  const [issue] = service([host]).error?.issues ?? [];
  expect(issue?.path).toEqual(['hosts', 0]);
  expect(issue?.message).toContain('must be a host name like chat.example.com');
});

it('a host name may have a path, whose case counts', () => {
  expect(
    service(['API.example.com/v1/Embed/', 'b.example/', 'b.example/_a~b-c.d']).data?.hosts,
  ).toEqual(['api.example.com/v1/Embed', 'b.example', 'b.example/_a~b-c.d']);
});

it.each([
  ...['a.example//', 'a.example//x', 'a.example/x//', 'a.example/../x', 'a.example/x/..'],
  ...['a.example/.', 'a.example/.well-known', 'a.example/%78', 'a.example/x%2fy', 'a.example/x\\y'],
  ...['a.example/x?y', 'a.example/x#y', 'a.example/x y', 'a.example/x\n', 'a.example/\u00fc'],
  ...['a.example/{x}', 'a.example/x;y', 'a.example/*', `a.example/${'x'.repeat(200)}`],
  `a.example${'/x'.repeat(9)}`,
])('%j has no path of a service', (host) => {
  const [issue] = service([host]).error?.issues ?? [];
  expect(issue?.path).toEqual(['hosts', 0]);
  expect(issue?.message).toContain('must have a path like /embeddings');
});

it('a service has each host name once, and not too many', () => {
  const message = (hosts: readonly string[]) => service(hosts).error?.issues[0]?.message;
  expect(message(['a.example', 'A.example'])).toContain('twice');
  expect(message(['a.example/x', 'a.example/x/'])).toContain('twice');
  expect(message(['a.example/x', 'a.example/X', 'a.example'])).toBeUndefined();
  const many = Array.from({ length: 17 }, (_, n) => `h${n}.example`);
  expect(message(many)).toContain('must have 16 names or fewer, got 17');
});
