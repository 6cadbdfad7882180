import { expect, it } from 'vitest';
import { serviceLines } from './service-url.ts';

const lines = (service: object) =>
  serviceLines({ service } as never, { client: { url: 'http://server' } } as never);

it('a service is published at its generated address, and at the host names of its own', () => {
  const hosts = ['chat.example.com', 'api.example.com/embed'];
  expect(lines({ url: 'https://web.apps.test', model: null, hosts })).toEqual([
    'Service is published at:',
    ...['  https://web.apps.test', '  https://chat.example.com', '  https://api.example.com/embed'],
  ]);
  expect(lines({ url: 'http://web.apps.test:8080', model: null, hosts }).slice(2)).toEqual([
    ...['  http://chat.example.com:8080', '  http://api.example.com:8080/embed'],
  ]);
  expect(lines({ url: '/proxy/services/main/web/', model: null })).toEqual([
    ...['Service is published at:', '  http://server/proxy/services/main/web/'],
  ]);
});
