/** Certificates that people set for gateways instead of those of an authority. */
import {
  type DeleteGatewayCertificateRequest,
  notExists,
  ruleError,
  type SetGatewayCertificateRequest,
} from '@dstack/contract/api';
import type { Gateway } from '@dstack/contract/wire';
import { gatewayTarget, recordEvent } from '@dstack/core';
import type { GatewayView, ProjectRecord, UserRecord } from '@dstack/store';
import { customNamesOf } from '../../gateways/custom-hosts.ts';
import { actorOf } from '../event-actor.ts';
import type { HttpDeps } from '../ports.ts';
import { checkPem } from './pem.ts';
import { checkNotLeaving } from './plan.ts';
import { shownGateway } from './service.ts';

/** The most names with a certificate per gateway; one message to the gateway has room for this many. */
const MAX_NAMES = 100;

/** Sets it for each name of the certificate below the gateway's domain, and keeps that of others. */
export async function setCertificate(
  deps: HttpDeps,
  project: ProjectRecord,
  { name, certificate, key }: SetGatewayCertificateRequest,
  actor: UserRecord,
): Promise<Gateway> {
  const { names, expiresAt } = checkPem(certificate, key, deps.context().now / 1000);
  const { gateway } = await ownGateway(deps, project, name);
  checkBackend(gateway);
  const domain = gateway.wildcardDomain?.replace(/^[*.]+/, '').toLowerCase() ?? null;
  if (domain === null) throw ruleError(`Gateway ${name} has no domain: set \`domain\` first`);
  const own = await customHosts(deps, gateway.id);
  const used = names.filter((one) => isBelow(one, domain) || own.has(one));
  if (used.length === 0) {
    throw ruleError(
      `The certificate is for ${shortList(names)}, but the services of gateway ${name} have names below ${domain}: get one for *.${domain}`,
    );
  }
  const present = await deps.store.gateways.certificates(gateway.id);
  const all = new Set([...present.map((one) => one.domain), ...used]);
  if (all.size > MAX_NAMES) {
    throw ruleError(
      `Gateway ${name} would have certificates for ${all.size} names; at most ${MAX_NAMES} are accepted. Use one for *.${domain}, or delete others by \`dstack gateway certificate delete\``,
    );
  }
  const until = expiresAt.toISOString().slice(0, 10);
  for (const one of used) {
    const event = recordEvent({
      action: 'gateway.certificate_set',
      data: { domain: one, until },
      ...{ targets: [gatewayTarget(gateway)], actor: actorOf(actor) },
    });
    await deps.store.gateways.setCertificate(
      gateway.id,
      one,
      { certificate, key },
      { events: [event] },
    );
  }
  return await shownGateway(deps, project, gateway.id);
}

/** The custom host names of the services behind the gateway. */
async function customHosts(deps: HttpDeps, gatewayId: string): Promise<ReadonlySet<string>> {
  const services = await deps.store.services.namesBehindGateway(gatewayId);
  return customNamesOf(services.map(({ run }) => run));
}

export async function deleteCertificate(
  deps: HttpDeps,
  project: ProjectRecord,
  { name, domain }: DeleteGatewayCertificateRequest,
  actor: UserRecord,
): Promise<Gateway> {
  const { gateway } = await ownGateway(deps, project, name);
  const present = await deps.store.gateways.certificates(gateway.id);
  const leaving = present.filter((one) => domain === null || one.domain === domain.toLowerCase());
  if (leaving.length === 0) {
    throw notExists(
      `Gateway '${name}' has no certificate ${domain === null ? '' : `for ${domain} `}that was set by a user`,
    );
  }
  for (const one of leaving) {
    const event = recordEvent({
      action: 'gateway.certificate_deleted',
      data: { domain: one.domain },
      ...{ targets: [gatewayTarget(gateway)], actor: actorOf(actor) },
    });
    await deps.store.gateways.setCertificate(gateway.id, one.domain, null, { events: [event] });
  }
  return await shownGateway(deps, project, gateway.id);
}

async function ownGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  name: string,
): Promise<GatewayView> {
  const view = await deps.store.gateways.byName(project.id, name);
  if (view === null) throw notExists(`Gateway '${name}' does not exist`);
  checkNotLeaving(view.gateway);
  return view;
}

function checkBackend({ name, configuration }: GatewayView['gateway']): void {
  if (configuration.load_balancer === null) return;
  throw ruleError(
    `The load balancer of gateway ${name} has the certificates: set \`certificate\` in its configuration`,
  );
}

/** One label below: the names of services. The domain may contain the name of a project. */
function isBelow(name: string, domain: string): boolean {
  const parts = domain.split(/\$\{\{\s*run\.project_name\s*\}\}/);
  const below = name.slice(name.indexOf('.') + 1);
  const [before = '', after] = parts;
  if (after === undefined) return below === domain;
  const middle = below.slice(before.length, below.length - after.length);
  return (
    parts.length === 2 &&
    below.length > before.length + after.length &&
    below.startsWith(before) &&
    below.endsWith(after) &&
    !middle.includes('.')
  );
}

function shortList(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
