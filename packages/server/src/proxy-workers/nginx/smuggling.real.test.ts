import { smugglingConformance } from '@dstack/proxy/testing';
import { freePort } from '@dstack/testkit';
import { serverConfiguration } from './configuration.ts';

smugglingConformance(
  {
    name: 'nginx before a server',
    configuration: ({ port, ...given }) =>
      serverConfiguration({
        ...{ ...given, listen: `127.0.0.1:${port}`, processes: 1, servicesDomain: null },
        isRoot: process.getuid?.() === 0,
      }),
    key: 'p:main/web',
    app: { host: 'api.test', path: '/proxy/services/main/web/' },
    behind: { host: 'api.test', path: '/api/' },
    group: null,
  },
  freePort,
);
