import { type Exchange, nodeExchange } from '@dstack/client';

/**
 * Reports each request with its status and duration. Headers, bodies and queries may contain tokens,
 * secrets and names of files; only the path is printed.
 */
export function loggedExchange(
  log: (line: string) => void,
  exchange: Exchange = nodeExchange(),
): Exchange {
  return async (request) => {
    const started = performance.now();
    const path = request.url.replace(/^[a-z+]+:\/\/[^/]*/, '').replace(/\?.*$/s, '');
    const report = (outcome: string): void => {
      log(`${request.method} ${path} ${outcome} ${Math.round(performance.now() - started)} ms`);
    };
    try {
      const response = await exchange(request);
      const id = response.headers['x-request-id'];
      report(`${response.status}${id ? ` (request ${id})` : ''}`);
      return response;
    } catch (error) {
      report(`failed (${(error as NodeJS.ErrnoException).code ?? (error as Error).name})`);
      throw error;
    }
  };
}
