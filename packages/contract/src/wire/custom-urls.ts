import type { ServiceSpec } from './run.ts';

/** The addresses of a service at the host names of its own, by the protocol and port of its generated one. */
export function customUrls({ url, hosts = [] }: Pick<ServiceSpec, 'url' | 'hosts'>): string[] {
  const generated = URL.parse(url);
  if (generated === null) return [];
  const { protocol, port } = generated;
  return hosts.map(
    (one) => `${protocol}//${one.replace(/^[^/]+/, (name) => name + (port && `:${port}`))}`,
  );
}
