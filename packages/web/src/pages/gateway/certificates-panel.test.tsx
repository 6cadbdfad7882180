import { render, screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import { CertificatesPanel } from './certificates-panel.tsx';

it('shows the state of each certificate, and what happens next', () => {
  const certificate = { domain: 'chat.example.org', source: 'acme', message: null } as const;
  render(
    <CertificatesPanel
      certificates={[
        { ...certificate, state: 'valid', expires_at: '2027-02-01T00:00:00Z', renews_at: null },
        {
          ...{ ...certificate, domain: 'new.example.org', state: 'failed', expires_at: null },
          ...{ renews_at: '2026-11-27T09:00:00Z', message: 'no DNS record' },
        },
      ]}
    />,
  );
  screen.getByText('chat.example.org');
  screen.getByText('Valid');
  screen.getByText('Failed');
  screen.getByText('Requested again');
  screen.getByText('no DNS record');
});

it('is left out where there are none', () => {
  const { container } = render(<CertificatesPanel certificates={[]} />);
  expect(container.textContent).toBe('');
});
