import type { Client } from '@dstack/client';
import { queryOptions } from '@tanstack/react-query';

/** Names of the providers through which people can sign in. */
export function signInProvidersQuery(client: Client) {
  return queryOptions({
    queryKey: ['sign-in-providers'],
    queryFn: async () => {
      const providers = await client.auth.listProviders();
      return providers.filter(({ enabled }) => enabled).map(({ name }) => name);
    },
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
}
