/** The address of a service: on a gateway, or in the server's own proxy. */
import { Problem, parseHostName } from '@dstack/contract';
import { notExists, ruleError } from '@dstack/contract/api';
import type { ServiceConfiguration, ServiceSpec } from '@dstack/contract/wire';
import { capabilitiesOf } from '@dstack/core';
import type { GatewayGuard, GatewayView, ProjectRecord } from '@dstack/store';
import { ownNameWithin } from '../gateways/own-names.ts';
import {
  checkAcceptsService,
  referenceOf,
  usableDefault,
  usableGateway,
} from '../gateways/usable-gateway.ts';
import type { HttpDeps } from '../ports.ts';
import { completeModel } from './chat-model.ts';
import { customHostsRefusal, TakenHosts } from './custom-hosts.ts';

export const HOSTS_NEED_GATEWAY =
  '`hosts` needs a gateway: set `gateway`, or make one the default of the project';

export const GRPC_NEEDS_GATEWAY =
  '`protocol: grpc` needs a gateway with a certificate: set `gateway`, or make one the default of the project';

/** The label of the models' endpoint below the domain of a gateway. */
const MODELS = 'gateway';

export interface ServicePlace {
  readonly gatewayId: string | null;
  /** Refuses what has changed at the gateway meanwhile. */
  readonly guard: GatewayGuard | null;
  /** Throws `ApiError`. By what `guard` has accepted, once it has. */
  readonly specOf: (runName: string) => ServiceSpec;
}

/** Where a service that is being updated is served now. */
export interface PresentPlace {
  readonly gatewayId: string | null;
  /** The update does not move it. */
  readonly isKept: boolean;
  /** Its custom host names. */
  readonly hosts: readonly string[];
}

const NOWHERE: PresentPlace = { gatewayId: null, isKept: false, hosts: [] };

/**
 * `present`: where it is served now, if it is. Throws `ApiError` if the service cannot be reached as
 * configured.
 */
export async function servicePlace(
  deps: HttpDeps,
  project: ProjectRecord,
  configuration: ServiceConfiguration,
  present: PresentPlace = NOWHERE,
): Promise<ServicePlace> {
  const gateway = await gatewayOf(deps, project, configuration, present);
  const model = await completeModel(deps, project, configuration);
  const service = { ...configuration, model };
  if (gateway === null) {
    // The default existed when the configuration was checked.
    if (deps.settings.runSpecs.forbidServicesWithoutGateway) {
      throw notExists('The project no longer has a default gateway');
    }
    if (service.hosts?.length) throw ruleError(HOSTS_NEED_GATEWAY);
    if (service.protocol === 'grpc') throw ruleError(GRPC_NEEDS_GATEWAY);
    return inServer(project, service);
  }
  return await behindGateway(deps, project, { view: gateway, present }, service);
}

async function gatewayOf(
  deps: HttpDeps,
  project: ProjectRecord,
  service: ServiceConfiguration,
  { gatewayId, isKept }: PresentPlace,
): Promise<GatewayView | null> {
  const wanted = service.gateway;
  if (wanted === false) return null;
  // Another gateway may be the default by now, or have its name.
  if (isKept && gatewayId !== null) return await deps.store.gateways.byId(gatewayId);
  if (wanted === null || wanted === true) {
    const view = await usableDefault(deps, project);
    if (view === null && wanted === true) throw notExists('The project has no default gateway');
    return view;
  }
  return await usableGateway(deps, project, referenceOf(wanted));
}

/**
 * The server's proxy has the protocol of the server's address. It counts requests, so that services
 * scale by demand here too; dstack 0.22.5 only does so behind gateways.
 */
function inServer(project: ProjectRecord, service: ServiceConfiguration): ServicePlace {
  if (service.https === false) {
    throw ruleError('`https: false` is not available without a gateway');
  }
  return {
    gatewayId: null,
    guard: null,
    specOf: (run) => ({
      url: `/proxy/services/${project.name}/${run}/`,
      model: modelSpec(
        service,
        `/proxy/services/${project.name}/${run}`,
        `/proxy/models/${project.name}/`,
      ),
      options: specOptions(service),
    }),
  };
}

/** `*.example.com` means the same as `example.com`; projects may have their own domains. */
function serviceDomain(wildcard: string, project: ProjectRecord): string {
  const domain = wildcard.replace(/^[*.]+/, '');
  return domain.replaceAll(/\$\{\{\s*run\.project_name\s*\}\}/g, () => project.name);
}

async function behindGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  { view, present }: { readonly view: GatewayView; readonly present: PresentPlace },
  service: ServiceConfiguration,
): Promise<ServicePlace> {
  const { settings, store } = deps;
  const { gateway, replicas } = view;
  const { name, configuration, wildcardDomain } = gateway;
  checkAcceptsService(gateway, present.gatewayId);
  if (replicas.length === 0) {
    throw ruleError(`Gateway '${name}' has no replica; services can use it once it has one`);
  }
  if (wildcardDomain === null) throw ruleError(`Gateway '${name}' has no domain`);
  const domain = serviceDomain(wildcardDomain, project);
  const certificate = configuration.certificate;
  const hasCertificate = certificate !== null || view.hasFiles;
  const isSecure = service.https === 'auto' ? hasCertificate : service.https !== false;
  if (!(isSecure && hasCertificate) && service.protocol === 'grpc') {
    const text = hasCertificate ? 'remove `https: false`' : `give gateway '${name}' a certificate`;
    throw ruleError(`\`protocol: grpc\` needs TLS: ${text}`);
  }
  if (isSecure && !hasCertificate) {
    throw ruleError(`Gateway '${name}' has no certificate: set \`https: false\` for the service`);
  }
  const isBalanced = certificate?.type === 'acm' || certificate?.type === 'gcp-cm';
  if (!isSecure && isBalanced) {
    throw ruleError(
      'Cannot run HTTP service on gateway with load balancer certificates configured',
    );
  }
  const scheme = isSecure ? 'https' : 'http';
  const modelScheme = hasCertificate ? 'https' : 'http';
  const portOf = (its: 'http' | 'https') => gatewayPort(settings, gateway, its);
  const models = `${modelScheme}://gateway.${domain}${portOf(modelScheme)}`;
  const refusal = await customHostsRefusal(deps, service, {
    project,
    gateway,
    present: present.hosts,
  });
  if (refusal !== null) throw ruleError(refusal);
  const beside = await store.services.namesBehindGateway(gateway.id);
  let takenHosts = new TakenHosts(beside);
  const elsewhere = beside.filter(({ projectName }) => projectName !== project.name);
  const taken = new Set(
    elsewhere.map(({ run }) => URL.parse(run.serviceSpec?.url ?? '')?.hostname),
  );
  return {
    gatewayId: gateway.id,
    guard: {
      id: gateway.id,
      isExclusive: (service.hosts ?? []).length > 0,
      accept: (now, services) => {
        checkAcceptsService(now ?? leaving(gateway), present.gatewayId);
        takenHosts = new TakenHosts(services);
      },
    },
    specOf: (run) => {
      const host = `${run}.${domain}`.toLowerCase();
      // A service that is there may have names of its own.
      if (present.gatewayId !== gateway.id && parseHostName(host) instanceof Problem) {
        throw ruleError(
          `${host} is no host name, so gateway '${name}' would not serve it: DNS has letters, digits and hyphens only. Use a gateway whose domain does not contain the name of project ${project.name}, or \`gateway: false\``,
        );
      }
      if (run === MODELS) {
        throw ruleError(`${host} is the address of models: choose another name for the service`);
      }
      if (taken.has(host)) {
        throw ruleError(
          `${host} is the address of a run of another project: choose another name, or put \${{ run.project_name }} into the domain of gateway '${name}'`,
        );
      }
      if (ownNameWithin(settings, host, { isDomain: false }) !== null) {
        throw ruleError(`${host} is a name of this server: choose another name for the service`);
      }
      const hosts = service.hosts ?? [];
      // A later domain of the gateway may contain a custom name.
      for (const one of [host, ...hosts]) {
        const why = takenHosts.refusal(one, project.name, run);
        if (why !== null) throw ruleError(why);
      }
      const url = `${scheme}://${run}.${domain}${portOf(scheme)}`;
      const model = modelSpec(service, url, models);
      return { url, model, options: specOptions(service), ...(hosts.length > 0 && { hosts }) };
    },
  };
}

const leaving = (gateway: GatewayView['gateway']) => ({ ...gateway, toBeDeleted: true });

/** `:8443` if the gateways of this server do not listen at the usual ports, else empty. */
function gatewayPort(
  { gatewayPorts }: HttpDeps['settings'],
  { backend, configuration }: GatewayView['gateway'],
  scheme: 'http' | 'https',
): string {
  const cluster = configuration.backend_settings?.kubernetes;
  // A load balancer at `address`, in front of the nodes, listens at the usual ports.
  if (cluster?.address == null && cluster?.node_ports != null) {
    return `:${cluster.node_ports[scheme]}`;
  }
  const isOnHost = capabilitiesOf(backend).owner !== 'provider';
  const usual = scheme === 'http' ? 80 : 443;
  return isOnHost && gatewayPorts[scheme] !== usual ? `:${gatewayPorts[scheme]}` : '';
}

/** The model's configuration, for the code that forwards requests to it. */
function specOptions({ model }: ServiceConfiguration): ServiceSpec['options'] {
  return model === null ? {} : { openai: { model } };
}

/** OpenAI servers are requested directly, others through the translating endpoint. */
function modelSpec(
  service: ServiceConfiguration,
  url: string,
  translated: string,
): ServiceSpec['model'] {
  const { model } = service;
  if (model === null) return null;
  const base = model.format === 'openai' ? `${url}${model.prefix}` : translated;
  return { name: model.name, base_url: base, type: model.type };
}
