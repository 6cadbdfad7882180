import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useEffect } from 'react';
import { useClient } from '../../data/session/session-context.tsx';
import { webUrl } from '../../domain/runs/connection.ts';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { usePageTitle } from '../../ui/panel/page-title.ts';

const route = getRouteApi('/shell/open-service');

/** A service has sent its visitor here: exchanges the session for a code, and returns to the service. */
export function OpenServicePage() {
  const { host = 'The service', state = '', path = '/' } = route.useSearch();
  usePageTitle(`Opening ${host}`);
  const client = useClient();
  const { data, error, refetch } = useQuery({
    queryKey: ['service-sign-in', host, state, path],
    queryFn: () => client.signInAtService({ host, state, path }),
    // A code is for one use: a second one would end the sign-in that the first has begun.
    ...{ retry: false, staleTime: Number.POSITIVE_INFINITY, gcTime: 0 },
    meta: { refreshed: 'never' },
  });
  const url = data === undefined ? null : webUrl(data.url, location.origin);
  useEffect(() => {
    if (url !== null) location.replace(url);
  }, [url]);
  if (error !== null) {
    const retry = () => void refetch();
    return <ErrorPanel page title={`${host} could not be opened`} error={error} onRetry={retry} />;
  }
  return (
    <PageFrame title={`Opening ${host}`}>
      {url === null ? <Skeleton lines={2} /> : <a href={url}>Continue to {host}</a>}
    </PageFrame>
  );
}
