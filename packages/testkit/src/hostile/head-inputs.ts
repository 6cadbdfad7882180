/** Requests with hostile first lines: paths, queries, headers, upgrades. */
import { BEARER, type HostileInput, type HostileRequest } from './request.ts';
import { many, repeat, TEXTS } from './texts.ts';

/** Node refuses larger heads. */
const HEAD = { most: 15 * 1024, repeats: 4 };

const get = (path: string, headers: HostileRequest['headers'] = [BEARER]): HostileRequest => ({
  method: 'GET',
  path,
  headers,
  body: null,
});

/** `NAME: text`, for every text that fits into one line. */
function header(name: string, before = '', path = '/api/server/get_info'): HostileInput[] {
  return Object.entries(TEXTS).map(([text, make]) => ({
    name: `${name} of ${text}`,
    ...HEAD,
    request: (size) => ({
      method: 'POST',
      path,
      headers: [[name, before + make(size).replaceAll('\n', ' ')]],
      body: null,
    }),
  }));
}

const PATHS: Readonly<Record<string, (length: number) => string>> = {
  'a long path': (length) => `/api/${'x'.repeat(length)}`,
  'a path of slashes': repeat('/'),
  'a path of parents': repeat('/..'),
  'a path of escapes': (length) => `/api/project/${'%61'.repeat(length / 3)}/runs/get`,
  'a path of broken escapes': (length) => `/api/project/${'%'.repeat(length)}/runs/get`,
  'a path of parameters': repeat('/:a'),
  'a service with a long name': (length) => `/proxy/services/main/${'x'.repeat(length)}/`,
  'a service of slashes': (length) => `/proxy/services/${'/'.repeat(length)}`,
  'many parameters': (length) =>
    `/api/project/main/metrics/job/x?${many(length / 8, (i) => `a${i}=1`).join('&')}`,
  'the same parameter': (length) =>
    `/api/project/main/metrics/job/x?${'limit=1&'.repeat(length / 8)}`,
  'a query of signs': (length) => `/api/project/main/metrics/job/x?${'&=?'.repeat(length / 3)}`,
  'a query of escapes': (length) =>
    `/api/project/main/metrics/job/x?limit=${'%20'.repeat(length / 3)}`,
  'ids in a query': (length) =>
    `/api/project/main/events/stream?target_runs=${'a,'.repeat(length / 2)}`,
};

export const headInputs: readonly HostileInput[] = [
  ...Object.entries(PATHS).map(([name, path]) => ({
    name,
    ...HEAD,
    request: (size: number) => get(path(size)),
  })),
  {
    name: 'many headers',
    ...HEAD,
    request: (size) =>
      get(
        '/healthcheck',
        many(size / 10, (i) => [`X-${i}`, 'y'] as const),
      ),
  },
  {
    name: 'the same header',
    ...HEAD,
    request: (size) =>
      get(
        '/healthcheck',
        many(size / 10, () => ['Accept', 'y'] as const),
      ),
  },
];

export const headerInputs: Readonly<Record<string, readonly HostileInput[]>> = {
  authorization: [
    ...header('Authorization', '', '/api/users/get_my_user'),
    ...header('Authorization', 'Bearer ', '/api/users/get_my_user'),
    ...header('Authorization', 'Bearer dstack_st_', '/api/project/main/runs/get'),
  ],
  forwarded: header('X-Forwarded-For', '203.0.113.1, ', '/api/users/get_my_user').map((input) => ({
    ...input,
    request: (size: number) => {
      const made = input.request(size);
      return { ...made, headers: [...made.headers, ['Authorization', 'Bearer unknown'] as const] };
    },
  })),
  version: header('X-API-VERSION'),
  type: header('Content-Type'),
  'request id': header('X-Request-Id'),
  connection: header('Connection', 'close, ', '/proxy/services/main/none/'),
  websocket: ['Sec-WebSocket-Key', 'Sec-WebSocket-Extensions', 'Sec-WebSocket-Protocol'].flatMap(
    (name) =>
      header(name, '', '/proxy/services/main/none/').map((input) => ({
        ...input,
        request: (size: number) => {
          const made = input.request(size);
          const upgrade = [['Upgrade', 'websocket'] as const];
          return { ...made, method: 'GET', headers: [BEARER, ...upgrade, ...made.headers] };
        },
      })),
  ),
};
