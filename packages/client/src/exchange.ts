export type HttpMethod = 'GET' | 'POST' | 'DELETE';

/** One HTTP request, as the client passes it to an {@link Exchange}. */
export interface HttpRequest {
  readonly method: HttpMethod;
  /** Absolute URL; `http+unix://<percent-encoded socket path>/path` names a unix socket. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | null;
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  /** Header names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Sends one request. Rejects with the system's error if no answer arrived, and with the signal's
 * reason if it was aborted.
 */
export type Exchange = (request: HttpRequest) => Promise<HttpResponse>;

/** An {@link Exchange} on the global `fetch`, for browsers and other runtimes. No unix sockets. */
export const fetchExchange: Exchange = (request) => exchangeByFetch(request, {});

/** The same with settings of each request, such as `keepalive` while a page is being left. */
export function fetchExchangeWith(settings: () => Pick<RequestInit, 'keepalive'>): Exchange {
  return (request) => exchangeByFetch(request, settings());
}

async function exchangeByFetch(
  request: HttpRequest,
  settings: Pick<RequestInit, 'keepalive'>,
): Promise<HttpResponse> {
  const response = await fetch(request.url, {
    ...settings,
    method: request.method,
    headers: request.headers,
    body: request.body as RequestInit['body'],
    signal: request.signal,
  });
  const headers: Record<string, string> = {};
  response.headers.forEach((value, name) => {
    headers[name] = value;
  });
  return { status: response.status, headers, body: chunks(response.body) };
}

async function* chunks(stream: ReadableStream<Uint8Array> | null): AsyncIterable<Uint8Array> {
  if (stream === null) return;
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}
