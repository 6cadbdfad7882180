import { smugglingConformance } from '@dstack/proxy/testing';
import { freePort } from '@dstack/testkit';
import { webUser } from '../web-user.ts';
import { nginxConfiguration } from './configuration.ts';

const user = webUser();

smugglingConformance(
  {
    name: 'nginx of a gateway',
    configuration: ({ folder: runtime, port: httpPort, behind, plain }) =>
      nginxConfiguration({
        ...{ runtime, httpPort, httpsPort: null, maxBody: 0, hsts: 0, plain },
        ...{ user: user?.name ?? null, workers: [behind] },
        ...{ acmeProof: null, acmeSocket: null, streamModule: null },
        ...{ hasHttp2Directive: false, hasCertificateCache: false, hasIpv6: false },
      }),
    key: 'h:web.apps.test',
    app: { host: 'web.apps.test', path: '/' },
    behind: { host: 'other.apps.test', path: '/' },
    group: user?.group ?? null,
  },
  freePort,
);
