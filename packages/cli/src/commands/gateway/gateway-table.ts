import { isGatewayRunning } from '@dstack/contract/status';
import type { Gateway, GatewayReplica } from '@dstack/contract/wire';
import { relativeTime } from '../../format/time.ts';
import { backendWithRegion } from '../../format/values.ts';
import type { Style } from '../../terminal/style.ts';
import { renderTable, type TableLayout, type TableRow } from '../../terminal/table.ts';
import { certificateSummary } from './certificate-table.ts';

export interface GatewayTableOptions {
  readonly verbose: boolean;
  readonly project: string;
  readonly now: number;
  readonly layout: TableLayout;
}

export function renderGatewayTable(
  gateways: readonly Gateway[],
  options: GatewayTableOptions,
): string {
  const { verbose } = options;
  const hasCertificates = gateways.some(({ certificates = [] }) => certificates.length > 0);
  const columns = [
    { header: 'NAME', keep: true },
    { header: 'BACKEND', optional: 3 },
    { header: 'HOSTNAME', keep: true },
    { header: 'DOMAIN', optional: 2 },
    { header: 'DEFAULT', optional: 4 },
    { header: 'STATUS', keep: true },
    ...(hasCertificates ? [{ header: 'CERTIFICATES', optional: 2 }] : []),
    ...(verbose
      ? [
          { header: 'CREATED', optional: 5 },
          { header: 'ERROR', optional: 1 },
        ]
      : []),
  ];
  const rows = gateways.flatMap((gateway) => gatewayRows(gateway, { ...options, hasCertificates }));
  return renderTable(columns, rows, options.layout);
}

function gatewayRows(
  gateway: Gateway,
  options: GatewayTableOptions & { readonly hasCertificates: boolean },
): TableRow[] {
  const { verbose, hasCertificates } = options;
  const replicas = gateway.replicas ?? [];
  const only = replicas.length === 1 ? replicas[0] : undefined;
  const merged = only !== undefined && !(verbose && gateway.hostname);
  const name =
    gateway.project_name === options.project
      ? gateway.name
      : `${gateway.project_name}/${gateway.name}`;
  const source = merged ? only : undefined;
  const head: TableRow = [
    { text: name, style: 'bold' },
    source
      ? backendWithRegion(
          source.backend ?? gateway.configuration.backend,
          source.region ?? gateway.configuration.region,
        )
      : replicas.length === 0
        ? backendWithRegion(gateway.configuration.backend, gateway.configuration.region)
        : '',
    gateway.hostname || source?.hostname || '',
    domainOf(gateway, options.project),
    gateway.default ? '✓' : '',
    shownStatus(gateway, source ?? null),
    ...(hasCertificates ? [certificateSummary(gateway.certificates ?? [])] : []),
    ...(verbose
      ? [
          relativeTime(gateway.created_at, options.now),
          gateway.status_message ?? source?.status_message ?? '',
        ]
      : []),
  ];
  if (merged) return [head];
  const rest = replicas.map(
    (replica): TableRow => [
      { text: `   replica=${replica.replica_num}`, style: 'dim' },
      backendWithRegion(replica.backend, replica.region),
      replica.hostname ?? '',
      '',
      '',
      status(replica.status),
      ...(hasCertificates ? [''] : []),
      ...(verbose
        ? [relativeTime(replica.created_at, options.now), replica.status_message ?? '']
        : []),
    ],
  );
  return [head, ...rest];
}

/** The domain of an imported gateway may depend on the importing project. */
function domainOf(gateway: Gateway, project: string): string {
  const domain = gateway.wildcard_domain ?? gateway.configuration.domain ?? '';
  return domain.replace(/\$\{\{\s*run\.project_name\s*\}\}/g, project).replace(/^\*\./, '');
}

const STYLES: Readonly<Record<string, Style>> = {
  submitted: 'secondary',
  provisioning: 'progress-bold',
  running: 'good-bold',
  failed: 'bad-bold',
};

/** Shows the status of the only replica once the gateway runs. */
function shownStatus(gateway: Gateway, only: GatewayReplica | null) {
  const isRunning = isGatewayRunning(gateway.status);
  const shown = status(only !== null && isRunning ? only.status : gateway.status);
  if (!isRunning || !gateway.configuration.forbid_new_services) return shown;
  return { ...shown, text: `${shown.text}, no new services` };
}

function status(text: string): { text: string; style: Style } {
  return { text, style: STYLES[text] ?? 'plain' };
}
