import { createMcpHandler } from '@modelcontextprotocol/server';
import { createMcpServer, type McpServerOptions } from './mcp-server.ts';

export interface HttpOptions extends Omit<McpServerOptions, 'packFiles'> {
  /** A request whose caller has been identified. */
  readonly request: {
    readonly url: string;
    readonly method: string;
    readonly headers: Readonly<Record<string, string | string[] | undefined>>;
    /** Parsed. */
    readonly body: unknown;
    readonly signal: AbortSignal;
  };
  readonly onError: (error: Error) => void;
}

/**
 * Answers one request. Nothing is kept between requests, so that any server of an installation can
 * answer the next one. Nothing here changes while a client is connected, so there are no subscriptions.
 */
export function mcpOverHttp({ request, onError, ...options }: HttpOptions): Promise<Response> {
  const { url, method, headers, body, signal } = request;
  const handler = createMcpHandler(() => createMcpServer({ ...options, packFiles: null }), {
    maxSubscriptions: 0,
    onerror: onError,
  });
  const hasBody = body !== undefined;
  return handler.fetch(
    new Request(url, {
      method,
      headers: standardHeaders(headers),
      signal,
      ...(hasBody ? { body: JSON.stringify(body) } : {}),
    }),
    hasBody ? { parsedBody: body } : {},
  );
}

/** The body has been read, so its length and encoding no longer hold. */
function standardHeaders(given: HttpOptions['request']['headers']): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(given)) {
    if (/^(content-length|transfer-encoding|content-encoding|authorization)$/.test(name)) continue;
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return headers;
}
