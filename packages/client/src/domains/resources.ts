import type {
  BackendCheck,
  BackendInfoYAML,
  CreatedServiceToken,
  Export,
  Gateway,
  GatewayLogs,
  GatewayPlan,
  GatewaySpec,
  HealthCheck,
  Import,
  Instance,
  ProjectRetention,
  Quota,
  RenewedCertificates,
  Secret,
  ServiceToken,
  ServiceTokenScope,
  SetSecret,
  UITemplate,
  Volume,
} from '@dstack/contract/wire';
import type { Transport } from '../transport.ts';

/** The subject of a quota. `user_name`: `*` = each user of the project. */
export interface QuotaName {
  readonly project_name: string;
  readonly fleet_name: string | null;
  readonly user_name: string | null;
}

/** Calls on the quotas of all projects. Servers of dstack 0.22.5 have none of them. */
export function quotaCalls(transport: Transport) {
  return {
    /** `projectName`: null = those of all projects of the caller. */
    list: (projectName: string | null): Promise<Quota[]> =>
      transport.read('/api/quotas/list', { project_name: projectName }),
    apply: (
      quotas: readonly (QuotaName & Pick<Quota, 'guaranteed' | 'limit' | 'weight'>)[],
    ): Promise<Quota[]> => transport.write('/api/quotas/apply', { quotas }),
    delete: (quotas: readonly QuotaName[]): Promise<void> =>
      transport.write('/api/quotas/delete', { quotas }),
  };
}

/** Calls on the instances of one project. */
export function instancesOf(transport: Transport, base: string) {
  return {
    get: (id: string): Promise<Instance> => transport.read(`${base}/instances/get`, { id }),
    /**
     * Keeps new jobs off these instances until `until` (ISO 8601) or for `seconds`; both null = until they are uncordoned.
     * Servers of dstack 0.22.5 have no such call, nor the next.
     */
    cordon: (
      names: readonly string[],
      cordon: {
        readonly reason: string | null;
        readonly until: string | null;
        readonly seconds: number | null;
      },
    ): Promise<Instance[]> => transport.write(`${base}/instances/cordon`, { names, ...cordon }),
    /** Jobs have to leave the instances within `seconds`. */
    drain: (
      names: readonly string[],
      drain: { readonly reason: string | null; readonly seconds: number },
    ): Promise<Instance[]> => transport.write(`${base}/instances/drain`, { names, ...drain }),
    uncordon: (names: readonly string[]): Promise<Instance[]> =>
      transport.write(`${base}/instances/uncordon`, { names }),
    /** Newest first. */
    async healthChecks(
      fleet: string,
      instanceNum: number,
      limit: number,
    ): Promise<readonly HealthCheck[]> {
      const answer = await transport.read<{ health_checks: HealthCheck[] }>(
        `${base}/instances/get_instance_health_checks`,
        { fleet_name: fleet, instance_num: instanceNum, after: null, before: null, limit },
      );
      return answer.health_checks;
    },
  };
}

/** Templates of runs that the project offers in the UI. */
export function templatesOf(transport: Transport, base: string) {
  return {
    list: (): Promise<UITemplate[]> => transport.read(`${base}/templates/list`),
  };
}

/** How long one project keeps ended runs, their output, events and metrics. Older servers answer as for an unknown path. */
export function retentionOf(transport: Transport, base: string) {
  return {
    get: (): Promise<ProjectRetention> => transport.get(`${base}/retention`, {}),
    /** Seconds; null = as the server's setting. */
    set: (wanted: {
      readonly runs_seconds: number | null;
      readonly logs_seconds: number | null;
      readonly events_seconds: number | null;
      readonly metrics_seconds: number | null;
    }): Promise<ProjectRetention> => transport.write(`${base}/retention/set`, wanted),
  };
}

/** Calls on the backends of one project. */
export function backendsOf(transport: Transport, base: string) {
  return {
    /** Asks each backend itself. Older servers answer as for an unknown path. */
    check: (): Promise<BackendCheck[]> => transport.read(`${base}/backends/check`),
    /** Secrets are masked. */
    getYaml: (name: string): Promise<BackendInfoYAML> =>
      transport.read(`${base}/backends/${encodeURIComponent(name)}/get_yaml`),
    createYaml: (config_yaml: string): Promise<void> =>
      transport.write(`${base}/backends/create_yaml`, { config_yaml }),
    updateYaml: (config_yaml: string): Promise<void> =>
      transport.write(`${base}/backends/update_yaml`, { config_yaml }),
    delete: (names: readonly string[]): Promise<void> =>
      transport.write(`${base}/backends/delete`, { backends_names: names }),
  };
}

/** Calls on the volumes of one project. */
export function volumesOf(transport: Transport, base: string) {
  return {
    list: (): Promise<Volume[]> => transport.read(`${base}/volumes/list`),
    get: (name: string): Promise<Volume> => transport.read(`${base}/volumes/get`, { name }),
    create: (configuration: Volume['configuration']): Promise<Volume> =>
      transport.write(`${base}/volumes/create`, { configuration }),
    delete: (names: readonly string[]): Promise<void> =>
      transport.write(`${base}/volumes/delete`, { names }),
  };
}

/** Calls on the gateways of one project. */
export function gatewaysOf(transport: Transport, base: string) {
  return {
    list: (query: { include_imported?: boolean } = {}): Promise<Gateway[]> =>
      transport.read(`${base}/gateways/list`, { include_imported: true, ...query }),
    get: (name: string): Promise<Gateway> => transport.read(`${base}/gateways/get`, { name }),
    getPlan: (spec: GatewaySpec): Promise<GatewayPlan> =>
      transport.read(`${base}/gateways/get_plan`, { spec }),
    apply: (plan: { spec: GatewaySpec; current_resource: Gateway | null }): Promise<Gateway> =>
      transport.write(`${base}/gateways/apply`, { plan, force: false }),
    /** `force`: also gateways with services, which lose their address. */
    delete: (names: readonly string[], options: { readonly force?: boolean } = {}): Promise<void> =>
      transport.write(`${base}/gateways/delete`, { names, ...(options.force && { force: true }) }),
    /** Pass `project` for an imported gateway only. */
    setDefault: (name: string, project: string | null = null): Promise<void> =>
      transport.write(`${base}/gateways/set_default`, {
        name,
        ...(project === null ? {} : { gateway_project: project }),
      }),
    setWildcardDomain: (name: string, domain: string | null): Promise<Gateway> =>
      transport.write(`${base}/gateways/set_wildcard_domain`, { name, wildcard_domain: domain }),
    /** In PEM, with the chain. */
    setCertificate: (
      name: string,
      pem: { readonly certificate: string; readonly key: string },
    ): Promise<Gateway> => transport.write(`${base}/gateways/set_certificate`, { name, ...pem }),
    /** `domain` null: all that were set. */
    deleteCertificate: (name: string, domain: string | null = null): Promise<Gateway> =>
      transport.write(`${base}/gateways/delete_certificate`, { name, domain }),
    /** `domain` null: all that have failed. */
    renewCertificates: (name: string, domain: string | null = null): Promise<RenewedCertificates> =>
      transport.write(`${base}/gateways/renew_certificates`, { name, domain }),
    /** `after`: positions of an earlier answer. */
    logs: (
      name: string,
      query: {
        readonly replica?: number | null;
        readonly lines?: number;
        readonly after?: Readonly<Record<string, string>> | null;
      } = {},
    ): Promise<GatewayLogs> => transport.read(`${base}/gateways/get_logs`, { name, ...query }),
  };
}

/** Calls on the secrets of one project. */
export function secretCalls(transport: Transport, base: string) {
  return {
    /** Values are null in the list. */
    list: (): Promise<Secret[]> => transport.read(`${base}/secrets/list`),
    get: (name: string): Promise<Secret> => transport.read(`${base}/secrets/get`, { name }),
    set: (name: string, value: string): Promise<SetSecret> =>
      transport.write(`${base}/secrets/create_or_update`, { name, value }),
    delete: (names: readonly string[]): Promise<void> =>
      transport.write(`${base}/secrets/delete`, { secrets_names: names }),
  };
}

/** Tokens of programs in one project. Servers of dstack 0.22.5 have none. */
export function serviceTokensOf(transport: Transport, base: string) {
  return {
    list: (): Promise<ServiceToken[]> => transport.read(`${base}/service_tokens/list`),
    /** `expires_in`: seconds; null = never. Limits need the scope `models`. */
    create: (request: {
      readonly name: string;
      readonly scope: ServiceTokenScope;
      readonly expires_in: number | null;
      readonly models?: readonly string[] | null;
      readonly services?: readonly string[] | null;
      readonly requests_per_minute?: number | null;
      readonly tokens_per_day?: number | null;
      readonly tokens_per_month?: number | null;
    }): Promise<CreatedServiceToken> => transport.write(`${base}/service_tokens/create`, request),
    delete: (names: readonly string[]): Promise<void> =>
      transport.write(`${base}/service_tokens/delete`, { names }),
  };
}

export interface ExportsList {
  readonly exports: readonly Export[];
  readonly warnings: readonly string[];
}

export interface ImportsList {
  readonly imports: readonly Import[];
  readonly warnings: readonly string[];
}

export interface CreateExport {
  readonly name: string;
  readonly is_global?: boolean;
  readonly importer_projects?: readonly string[];
  readonly exported_fleets?: readonly string[];
  readonly exported_gateways?: readonly string[];
}

export interface UpdateExport {
  readonly name: string;
  readonly set_global?: boolean;
  readonly unset_global?: boolean;
  readonly add_importer_projects?: readonly string[];
  readonly remove_importer_projects?: readonly string[];
  readonly add_exported_fleets?: readonly string[];
  readonly remove_exported_fleets?: readonly string[];
  readonly add_exported_gateways?: readonly string[];
  readonly remove_exported_gateways?: readonly string[];
}

/** Calls on the exports of one project. */
export function exportsOf(transport: Transport, base: string) {
  return {
    /** Servers before 0.22 return a plain list. */
    async list(): Promise<ExportsList> {
      const answer = await transport.read<ExportsList | Export[]>(`${base}/exports/list`);
      return isList(answer) ? { exports: answer, warnings: [] } : answer;
    },
    create: (request: CreateExport): Promise<Export> =>
      transport.write(`${base}/exports/create`, {
        is_global: false,
        importer_projects: [],
        exported_fleets: [],
        exported_gateways: [],
        ...request,
      }),
    update: (request: UpdateExport): Promise<Export> =>
      transport.write(`${base}/exports/update`, {
        set_global: false,
        unset_global: false,
        add_importer_projects: [],
        remove_importer_projects: [],
        add_exported_fleets: [],
        remove_exported_fleets: [],
        add_exported_gateways: [],
        remove_exported_gateways: [],
        ...request,
      }),
    delete: (name: string): Promise<void> => transport.write(`${base}/exports/delete`, { name }),
  };
}

/** Calls on the imports of one project. */
export function importsOf(transport: Transport, base: string) {
  return {
    async list(): Promise<ImportsList> {
      const answer = await transport.read<ImportsList | Import[]>(`${base}/imports/list`);
      return isList(answer) ? { imports: answer, warnings: [] } : answer;
    },
    delete: (exportProject: string, exportName: string): Promise<void> =>
      transport.write(`${base}/imports/delete`, {
        export_project_name: exportProject,
        export_name: exportName,
      }),
  };
}

function isList<T, O>(answer: T[] | O): answer is T[] {
  return Array.isArray(answer);
}
