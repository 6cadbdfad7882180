import { customUrls } from '@dstack/contract/custom-urls';
import type { Run } from '@dstack/contract/wire';
import type { Connection } from '../context.ts';

/** The URLs of a service and its model; paths are on the server that proxies them. */
export function serviceLines(run: Run, connection: Connection): string[] {
  const { service } = run;
  if (!service) return [];
  const url = absolute(service.url, connection);
  const lines = [
    'Service is published at:',
    ...[url, ...customUrls(service)].map((one) => `  ${one}`),
  ];
  if (service.model) {
    lines.push(
      `Model ${service.model.name} is published at:`,
      `  ${absolute(service.model.base_url, connection)}`,
    );
  }
  return lines;
}

export function absolute(url: string, connection: Connection): string {
  if (/^https?:\/\//.test(url)) return url;
  return connection.client.url + (url.startsWith('/') ? url : `/${url}`);
}
