import { screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';

const ADDRESS = '/open-service?host=web-0a1b2c3d.apps.test&state=s&path=%2Fstart%3Fx%3D1';

it('exchanges the session for an address of the service', async () => {
  const asked: unknown[] = [];
  const { live } = await renderApp(ADDRESS, {
    signInAtService: async (request) => {
      asked.push(request);
      return { url: 'http://web-0a1b2c3d.apps.test/.dstack/sign-in?code=c' };
    },
  });
  const link = await screen.findByText('Continue to web-0a1b2c3d.apps.test');
  expect(link.getAttribute('href')).toContain('/.dstack/sign-in?code=c');
  // The stream of changes begins, or has missed some.
  live.onGap();
  await screen.findByText('Continue to web-0a1b2c3d.apps.test');
  expect(asked).toEqual([{ host: 'web-0a1b2c3d.apps.test', state: 's', path: '/start?x=1' }]);
});

it('shows why a service cannot be opened, and never follows an address that is not one of the web', async () => {
  await renderApp(ADDRESS, {
    signInAtService: async () => {
      throw new Error('No service of your projects has the host name');
    },
  });
  await screen.findByText('web-0a1b2c3d.apps.test could not be opened');
  await renderApp(ADDRESS, {
    signInAtService: async () => ({ url: 'javascript:alert(1)' }),
  });
  expect(screen.queryByText(/Continue to/)).toBeNull();
});
