import { Problem, parseHostName, quote } from '@dstack/contract';
import type { GatewayConfiguration } from '@dstack/contract/wire';
import { capabilitiesOf } from '../capabilities/capabilities.ts';
import { nameError, type SpecError, specError } from '../run-spec/result.ts';
import { fixedDomain } from './domain.ts';

export type PreparedGateway = { readonly ok: true } | SpecError;

/** The only variable that a domain may contain. */
const PROJECT_NAME = /\$\{\{\s*run\.project_name\s*\}\}/g;

/** Why the server refuses a gateway, by the rules of dstack 0.22.5. */
export function prepareGateway(
  configuration: GatewayConfiguration,
  limits: {
    readonly maxReplicas: number;
    /** How names are proven: `dns-01` by DNS records, wherever they lead. Default: `http-01`. */
    readonly challenge?: 'http-01' | 'tls-alpn-01' | 'dns-01';
  },
): PreparedGateway {
  const { name, backend, domain, public_ip } = configuration;
  const capabilities = capabilitiesOf(backend);
  const wrongName = name === null ? null : nameError(name);
  if (wrongName) return wrongName;
  if (!capabilities.gateway) return specError(`Backend ${backend} does not support gateways`);
  if (!public_ip && !capabilities.privateGateway) {
    return specError(`Backend ${backend} does not support gateways with \`public_ip: false\``);
  }
  if (domain?.replaceAll(PROJECT_NAME, '').includes('${{')) {
    return specError('`domain` may refer to `${{ run.project_name }}` only');
  }
  // The part of a domain that is the same for all projects decides to whom it belongs.
  if (domain?.endsWith('.') || (domain && fixedDomain(domain) === '')) {
    return specError(
      '`domain` must end in a domain without variables and without a dot at its end, such as *.${{ run.project_name }}.apps.example.com',
    );
  }
  if (domain && !isDomain(domain)) {
    return specError(
      `\`domain\` must be a domain in DNS, such as *.apps.example.com, got ${quote(domain)}`,
    );
  }
  const replicas = configuration.replicas ?? 1;
  if (replicas > limits.maxReplicas) {
    return specError(
      `Cannot provision ${replicas} gateway replicas. This server allows at most ${limits.maxReplicas}`,
    );
  }
  const wrong =
    balancerError(configuration) ??
    certificateError(configuration, replicas, limits.challenge ?? 'http-01') ??
    clusterError(configuration);
  return wrong === null ? { ok: true } : specError(wrong);
}

/** Whether runs can have host names below it. */
function isDomain(text: string): boolean {
  const domain = text.replace(/^\*\./, '').replaceAll(PROJECT_NAME, 'project');
  return !(parseHostName(`run.${domain}`) instanceof Problem);
}

/** The kind of certificate that the load balancer of a backend accepts. */
const BALANCER_CERTIFICATES: Readonly<Record<string, string>> = { aws: 'acm', gcp: 'gcp-cm' };

function balancerError({ backend, load_balancer, certificate }: GatewayConfiguration) {
  if (load_balancer === null) return null;
  const own = BALANCER_CERTIFICATES[backend];
  if (own === undefined) {
    return '`load_balancer: { type: alb }` is supported for `aws` and `gcp` backends only';
  }
  if (certificate === null || certificate.type === own) return null;
  return `\`load_balancer\` on ${backend} needs \`certificate: null\` or a certificate of type ${own}`;
}

function certificateError(
  configuration: GatewayConfiguration,
  replicas: number,
  challenge: 'http-01' | 'tls-alpn-01' | 'dns-01',
): string | null {
  const { backend, certificate, public_ip, load_balancer } = configuration;
  const managed = capabilitiesOf(backend).managedCertificates;
  switch (certificate?.type) {
    case 'lets-encrypt':
      if (challenge === 'dns-01') return null;
      if (!public_ip) return 'A `lets-encrypt` certificate needs a public IP address';
      // Each replica can answer http-01 challenges for the others. Only the replica that requested a
      // certificate can answer its tls-alpn-01 challenge.
      return challenge === 'tls-alpn-01' && replicas > 1
        ? 'A `lets-encrypt` certificate needs `replicas: 1`, because DSTACK_ACME_CHALLENGE of the server is tls-alpn-01; with http-01 or dns-01 there may be more'
        : null;
    case 'acm':
      return managed === 'acm' ? null : '`acm` certificates are supported for `aws` only';
    case 'gcp-cm':
      if (managed !== 'gcp-cm') return '`gcp-cm` certificates are supported for `gcp` only';
      return load_balancer === null ? 'A `gcp-cm` certificate needs `load_balancer`' : null;
    default:
      return null;
  }
}

function clusterError({
  backend,
  backend_settings,
  instance_type,
  certificate,
  domain,
}: GatewayConfiguration): string | null {
  const settings = backend_settings?.kubernetes ?? null;
  if (backend !== 'kubernetes') {
    return settings === null ? null : '`backend_settings.kubernetes` needs `backend: kubernetes`';
  }
  if (instance_type !== null) {
    return '`instance_type` has no meaning in a cluster; use `backend_settings.kubernetes.node_selector`';
  }
  switch (settings?.service) {
    case 'NodePort':
      if (settings.node_ports == null)
        return '`service: NodePort` needs `node_ports`, such as {http: 30080, https: 30443}';
      return certificate !== null && settings.node_ports.https == null
        ? '`node_ports` needs `https`, or the gateway `certificate: null`'
        : null;
    case 'Ingress':
      if (certificate !== null)
        return '`service: Ingress` needs `certificate: null`: the controller of the Ingress has the certificate';
      if (domain === null || domain.includes('${{')) {
        return '`service: Ingress` needs a `domain` without variables, which its rule names';
      }
      return null;
    default:
      return settings?.node_ports == null ? null : '`node_ports` needs `service: NodePort`';
  }
}
