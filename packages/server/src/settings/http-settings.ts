import type { ServerConfig } from '@dstack/contract';
import type { RunSpecSettings } from '@dstack/core';
import type { IntakeSettings } from '@dstack/proxy';
import { trustIn } from '@dstack/proxy';
import { callerAddress } from '../callers/caller-address.ts';
import { CredentialReader } from '../callers/credentials.ts';
import { SignInGuard } from '../callers/sign-in-guard.ts';
import type { HttpSettings } from '../http/ports.ts';
import { jobSpecSettings } from './job-spec-settings.ts';
import { localRule } from './local-rule.ts';
import type { ServerSettings } from './settings.ts';

const DEFAULT_PERMISSIONS = {
  allow_non_admins_create_projects: true,
  allow_non_admins_manage_ssh_fleets: true,
  allow_managers_manage_secrets: false,
};

/** In the order of dstack 0.22.5. */
const BACKEND_TYPES = [
  'amddevcloud',
  'aws',
  'azure',
  'cloudrift',
  'crusoe',
  'datacrunch',
  'daytona',
  'digitalocean',
  'gcp',
  'hotaisle',
  'jarvislabs',
  'kubernetes',
  'lambda',
  'lium',
  'nebius',
  'oci',
  'runpod',
  'slurm',
  'seeweb',
  'vastai',
  'verda',
  'vultr',
] as const;

export function httpSettings(settings: ServerSettings, config: ServerConfig): HttpSettings {
  return {
    codeUploadLimit: settings.limits.codeUpload,
    retention: settings.retention,
    projectsPerUser: settings.limits.projectsPerUser,
    permissions: config.default_permissions ?? DEFAULT_PERMISSIONS,
    localProjects: localProjects(settings),
    waitingRunsPerUser: settings.limits.waitingRunsPerUser,
    runSpecs: runSpecSettings(settings),
    jobSpecs: jobSpecSettings(settings),
    defaultRegistry: settings.images.defaultRegistry,
    backendTypes: BACKEND_TYPES,
    defaultCredentials: settings.defaultCredentials,
    maxGatewayReplicas: settings.limits.gatewayReplicas,
    gatewayDomains: settings.gateways.domains,
    acmeChallenge: settings.gateways.acme.challenge ?? 'http-01',
    gatewayPorts: { http: settings.gateways.httpPort, https: settings.gateways.httpsPort },
    sshProxyToken: settings.sshProxyToken,
    sshEntry: settings.sshEntry?.route ?? null,
    serviceOrigins: settings.serviceOrigins,
    failedLoginsPerMinute: settings.limits.failedLoginsPerMinute,
    trustedProxies: settings.trustedProxies,
    url: settings.url,
    metricsToken: settings.metrics.token,
    templatesRepo: settings.templatesRepo,
  };
}

/** Slower than any connection in practice. */
const SLOWEST_BODY_BYTES_PER_SECOND = 8 * 1024;

export function intakeSettings({ limits }: ServerSettings): IntakeSettings {
  return {
    memory: limits.requestMemory,
    pace: {
      graceMs: limits.bodyTimeoutSeconds * 1000,
      bytesPerSecond: SLOWEST_BODY_BYTES_PER_SECOND,
    },
  };
}

export function credentialReader(
  { trustedProxies, url }: Pick<HttpSettings, 'trustedProxies' | 'url'>,
  serverId: string,
): CredentialReader {
  return new CredentialReader({ serverId, trust: trustIn(trustedProxies), url });
}

/** By the monotonic clock: a step back would prolong the time in which an address is slowed down. */
export function signInGuard(settings: HttpSettings): SignInGuard {
  return new SignInGuard({
    limit: settings.failedLoginsPerMinute,
    addressOf: callerAddress(settings.trustedProxies),
    now: () => performance.now(),
  });
}

function runSpecSettings({ limits, retention }: ServerSettings): RunSpecSettings {
  return {
    maxJobs: limits.maxJobsPerRun,
    maxProbes: limits.maxProbes,
    maxProbeTimeout: limits.maxProbeTimeout,
    metricsTtl: retention.metrics.running,
    forbidDstackInRuns: limits.forbidDstackInRuns,
    forbidServicesWithoutGateway: limits.forbidServicesWithoutGateway,
  };
}

/** Names, in lower case, of projects that may use the server's machine. */
function localProjects(settings: ServerSettings): ReadonlySet<string> {
  const rule = localRule(settings);
  return new Set(rule.kind === 'on' ? rule.projects.map((name) => name.toLowerCase()) : []);
}
