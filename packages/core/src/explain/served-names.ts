/** Why clients do not reach services at their host names on a gateway. */
import { hostPathOf } from '@dstack/contract';
import type { GatewayCertificateState, GatewayReport, RunRecord } from '../model/index.ts';
import { instantText } from '../time/instant-text.ts';
import { type Diagnosis, type Reason, reason } from './diagnosis.ts';

type Certificate = GatewayCertificateState;

/** Host names that the summary mentions; all of them are reasons. */
const MENTIONED = 2;

/** The generated host name of a service, and those of its own. */
export function hostNamesOf({ serviceSpec }: Pick<RunRecord, 'serviceSpec'>): string[] {
  const url = URL.parse(serviceSpec?.url ?? '');
  if (!serviceSpec || url === null) return [];
  return [url.hostname, ...(serviceSpec.hosts ?? []).map((one) => hostPathOf(one).host)];
}

/** One reason for each name without a valid certificate. `names`: null = all of the gateway. */
export function certificateReasons(
  reports: readonly GatewayReport[],
  names: readonly string[] | null = null,
): Reason[] {
  const found = new Map<string, Certificate>();
  for (const certificate of reports.flatMap(({ certificates }) => certificates)) {
    const { domain, state } = certificate;
    const isAsked = names === null || names.includes(domain);
    const isGood = state === 'valid' && certificate.endsSoon !== true;
    if (isAsked && !isGood && !found.has(domain)) found.set(domain, certificate);
  }
  return [...found.values()].map((certificate) =>
    reason('certificate', certificateText(certificate), {
      ...{
        asked: certificate.domain,
        has: certificate.state === 'valid' ? 'ending' : certificate.state,
        until: certificate.renewsAt,
      },
    }),
  );
}

function certificateText({ domain, state, message, expiresAt }: Certificate): string {
  const why = message === null ? '' : `: ${message.replace(/\.$/, '')}`;
  switch (state) {
    case 'pending':
      return `${domain} is not served yet, because its certificate is being requested${why}`;
    case 'valid':
      return `${domain} is served until ${instantText(expiresAt ?? 0)} only, because its certificate has not been renewed${why}`;
    case 'expired':
      return `clients refuse ${domain}, because its certificate has expired${why}`;
    default:
      return `${domain} is not served, because it has no certificate${why}`;
  }
}

/** Facts about the host names of a service, from its gateway and from DNS. */
export interface NamesFound {
  readonly reports: readonly GatewayReport[];
  /** Problems with names that users have to set in DNS. */
  readonly problems: readonly string[];
}

/** A diagnosis of a service that also reports which of its names are not served. */
export function withHostNames(
  diagnosis: Diagnosis,
  run: Pick<RunRecord, 'serviceSpec'>,
  { reports, problems }: NamesFound,
): Diagnosis {
  const isServing = reports.some(({ state }) => state === 'ready');
  const lost = reports.find(({ text }) => text !== null)?.text ?? 'no replica of it is ready';
  const served = isServing
    ? certificateReasons(reports, hostNamesOf(run))
    : [reason('not_ready', `its gateway does not serve requests: ${lost}`)];
  const known = served.map(({ text }) => text);
  // A certificate that waits for DNS has the same cause.
  const others = problems.filter((one) => !known.some((text) => text.includes(one)));
  const missing = [...served, ...others.map((one) => reason('certificate', one))];
  const mentioned = missing.slice(0, MENTIONED).map(({ text }) => ` ${sentence(text)}`);
  const summary = `${diagnosis.summary}${mentioned.join('')}`;
  return { ...diagnosis, summary, reasons: [...diagnosis.reasons, ...missing] };
}

/** Host names keep their first letter. */
export const sentence = (text: string) =>
  `${text.replace(/^(its|clients|replica) /, (word) => word.charAt(0).toUpperCase() + word.slice(1))}.`;
