import type { GatewayCertificateInfo } from '@dstack/contract/wire';
import { certificateLook, certificateSource } from '../../domain/gateways/certificate-look.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import { Properties } from '../../ui/panel/properties.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import { RelativeTime } from '../../ui/time/time.tsx';

/** The certificates of the gateway's names, with what happens to each next. */
export function CertificatesPanel(props: {
  readonly certificates: readonly GatewayCertificateInfo[];
}) {
  if (props.certificates.length === 0) return null;
  return (
    <Panel title="Certificates">
      {props.certificates.map((certificate) => (
        <Certificate key={certificate.domain} certificate={certificate} />
      ))}
    </Panel>
  );
}

function Certificate({ certificate }: { readonly certificate: GatewayCertificateInfo }) {
  const { domain, state, expires_at: expires, renews_at: renews, message } = certificate;
  return (
    <Properties
      items={[
        { label: 'Name', value: <bdi>{domain}</bdi>, wide: true },
        { label: 'State', value: <StatusBadge look={certificateLook(certificate)} /> },
        { label: 'From', value: certificateSource(certificate) },
        {
          label: state === 'expired' ? 'Expired' : 'Expires',
          value: expires && <RelativeTime at={expires} />,
        },
        {
          label: state === 'valid' ? 'Renewed' : 'Requested again',
          value: renews && <RelativeTime at={renews} />,
        },
        { label: 'Message', value: message, wide: true },
      ]}
    />
  );
}
