/** Gateways in the cluster: behind an address of their own, and behind an Ingress. */
import { it } from 'vitest';
import { gatewayByIngress, gatewayInCluster, giveNginx } from '../kubernetes-gateway.ts';
import { safeGateway } from './certificates.ts';
import { RESOURCES, SMALL, type World } from './world.ts';

/** On a busy computer each of the six changes of pods takes half a minute. */
const LIMIT = { timeout: 360_000 };
const SERVE = 'mkdir /tmp/www; echo page > /tmp/www/index.html; httpd -f -p 8000 -h /tmp/www';

const service = (name: string, gateway: string, https = false): string =>
  `type: service\nname: ${name}\ngateway: ${gateway}\nhttps: ${https}\n${SMALL}port: 8000\nauth: false\ncommands: [${JSON.stringify(SERVE)}]\n${RESOURCES}}\n`;

/** The first one is deleted by the official client: no test until then may wait for an empty cluster. */
export function gatewayCases(world: () => World): void {
  it(
    'are served by gateways whose pods end while requests come, which request no certificate twice',
    LIMIT,
    async () => {
      const { home, cluster, authority } = world();
      await giveNginx(cluster);
      const startOther = async () =>
        authority && (await safeGateway(world(), authority, service('safe', 'sealed', true)));
      await gatewayInCluster({ home, cluster, service: service('front', 'edge') }, startOther);
    },
  );

  it('are served by a gateway that an Ingress leads to', LIMIT, async () => {
    const { home, cluster, proxy } = world();
    await giveNginx(cluster);
    await gatewayByIngress({ home, cluster, service: service('plain', 'inner') }, proxy.url);
  });
}
