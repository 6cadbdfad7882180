/** The links to gateways. */

import { marksOfGuarded, Outages, OwnTokens, openReplica } from '@dstack/proxy';
import { systemNow } from '../clock/system-clock.ts';
import { dnsHookRunner, type SetDnsRecord } from '../gateways/dns-hook.ts';
import { domainProof } from '../gateways/domain-proof.ts';
import { GatewayInstances } from '../gateways/gateway-instances.ts';
import { GatewayLinks } from '../gateways/gateway-links.ts';
import type { GatewayLinksOptions } from '../gateways/gateway-links-options.ts';
import { GatewaySignIns } from '../gateways/gateway-sign-ins.ts';
import { SshGatewayHosts } from '../gateways/ssh-gateway-hosts.ts';
import { txtReader } from '../gateways/txt-records.ts';
import { agentSecret } from '../hosts/agent-secret.ts';
import type { AgentAccess } from '../hosts/hosts.ts';
import { isLocalHost } from '../hosts/local-agent.ts';
import { socketPath } from '../hosts/socket-folder.ts';
import { AGENT_SOCKET } from '../hosts/ssh/layout.ts';
import { gatewayConnector } from '../hosts/supervisor/connectors.ts';
import { answerAsks } from '../http/proxy/grants.ts';
import type { RunChanges } from '../loops/run-changes.ts';
import type { ServerMetrics } from '../metrics/server-metrics.ts';
import type { ProjectBackends } from '../offers/project-backends.ts';
import { outageReader } from '../outages/outage-reader.ts';
import { Outgoing } from '../outgoing/outgoing.ts';
import { hostsOfSettings, OutgoingRules } from '../outgoing/outgoing-rules.ts';
import { serverFolder } from '../process/server-folders.ts';
import { tokensOfSettings } from '../settings/own-tokens.ts';
import { hostPlaces } from './gateway-places.ts';
import type { Links, Supervision } from './links.ts';
import type { Parts } from './parts.ts';

export interface GatewayParts extends Pick<Supervision, 'supervisor' | 'programs' | 'mayDial'> {
  readonly serverId: string;
  readonly links: Links;
  readonly changes: RunChanges;
  readonly metrics: Pick<ServerMetrics, 'gatewayMessageRefused'> | null;
  readonly gatewayRequests: GatewayLinksOptions['requests'];
  readonly backends: Pick<ProjectBackends, 'find'>;
  readonly serverHost: { readonly access: AgentAccess } | null;
}

export function makeGatewayLinks(parts: Parts, made: GatewayParts): GatewayLinks {
  const { settings, store, log, closing } = parts;
  const { links, supervisor, changes, serverHost } = made;
  const { hosts } = links;
  const anyClient = (hostId: string) => hosts.client(hostId) ?? supervisor.clientOf(hostId);
  const find: ProjectBackends['find'] = (...of) => made.backends.find(...of);
  const { serverId, programs, mayDial } = made;
  const sshHosts = new SshGatewayHosts({
    hosts,
    connect: gatewayConnector({ serverId, programs, mayDial, hostAccess: store.hostAccess }),
    secret: () => agentSecret(store),
    privateKey: (projectId) => store.projects.privateKey(projectId),
  });
  const instances = new GatewayInstances({ store, serverId, find, hosts, sshHosts });
  const readTxt = txtReader(settings.gateways.dns);
  const places = hostPlaces(store, hosts, serverHost);
  const gateways = new GatewayLinks({
    store,
    client: (hostId) => hosts.client(hostId),
    isElsewhere: (hostId) => hosts.isElsewhere(hostId),
    hostOf: (replica) => (instances.has(replica) ? replica.id : (replica.instanceId ?? '')),
    observe: async (replica) => {
      if (instances.has(replica)) return await instances.observe(replica);
      const exists = await places.exists(replica.instanceId ?? '');
      return exists
        ? { state: 'ready' }
        : { state: 'missing', text: 'Its host has left the fleet' };
    },
    portsOf: async (replica) => (instances.has(replica) ? await instances.ports(replica) : null),
    isOnInstance: (replica) => instances.has(replica),
    maintain: async (replica) => {
      if (instances.has(replica)) return await instances.maintain(replica);
      const view = await store.gateways.byId(replica.gatewayId);
      return view && (await places.condition(replica, view.gateway));
    },
    forget: async (replica) => {
      if (instances.has(replica)) await instances.forget(replica);
    },
    addressOf: async (hostId) => {
      const known = instances.address(hostId);
      if (known !== undefined) return known;
      if (isLocalHost(hostId)) return settings.url ? new URL(settings.url).hostname : '127.0.0.1';
      const [instance] = await store.instances.byIds([hostId]);
      return instance?.provisioningData?.hostname ?? null;
    },
    agentOn: async (hostId) => {
      if (serverHost && hostId === serverHost.access.hostId) {
        const socket = socketPath(serverFolder(settings.dir, 'agent'));
        return { socket, token: serverHost.access.token };
      }
      const record = await store.hostAccess.byId(hostId);
      return record?.access.kind === 'ssh'
        ? { socket: AGENT_SOCKET, token: record.agentToken }
        : null;
    },
    newSignIns: () =>
      new GatewaySignIns({ limit: settings.limits.failedLoginsPerMinute, now: Date.now }),
    admitBy: (signIns) => answerAsks({ store, now: systemNow, sshProxyToken: null, signIns }),
    onRefused: (gateway, type) => made.metrics?.gatewayMessageRefused(gateway, type),
    ownTokens: new OwnTokens({
      isToken: store.access.isToken,
      settings: tokensOfSettings(settings),
      now: () => performance.now(),
      log,
    }),
    outages: new Outages(outageReader({ store, isOfGateways: true, now: systemNow })),
    open: openReplica({ client: anyClient, isHere: isLocalHost }),
    pushKeys: (hostId) => links.jobKeys.push(hostId),
    setRecord: dnsRecords(parts),
    proofOf: async ({ id, projectId }, name) => {
      const view = await store.gateways.byId(id);
      const project = await store.projects.byId(projectId);
      if (!view || !project) return { kind: 'unproven', text: 'The gateway was deleted' };
      const proofs = { domains: settings.gateways.domains, readTxt, gateways: store.gateways };
      return await domainProof(proofs, project, view.gateway, name);
    },
    defaults: { ...settings.gateways, tokenMarks: marksOfGuarded(tokensOfSettings(settings)) },
    requests: made.gatewayRequests,
    now: systemNow,
    log,
  });
  closing.add(() => gateways.close());
  closing.add(() => sshHosts.close());
  changes.listen((runId) => gateways.runChanged(runId));
  links.connected.add((hostId) => gateways.hostConnected(hostId));
  if (store.shared) {
    closing.add(store.engine.onSignal(({ kind, id }) => kind === 'run' && gateways.runChanged(id)));
  }
  return gateways;
}

/** Null: the admin has given nothing that sets DNS records. */
function dnsRecords({ settings, closing }: Parts): SetDnsRecord | null {
  const { dnsHook } = settings.gateways;
  if (dnsHook === null) return null;
  const own = hostsOfSettings(dnsHook.kind === 'webhook' ? dnsHook.url : null);
  const outgoing = new Outgoing(new OutgoingRules([...settings.outgoingAllow, ...own]));
  closing.add(() => outgoing.close());
  return dnsHookRunner(dnsHook, outgoing);
}
