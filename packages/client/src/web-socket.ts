/** WebSockets of browsers and of Node, which are the same but for headers. */

/** The part of the standard's `WebSocket` that is used. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  send(data: string | Uint8Array): void;
  close(code?: number): void;
  /** Why there is no connection, where the implementation knows it. The standard hides it. */
  readonly failure?: SocketFailure | null;
  /** Reads nothing until `resume`, so that the sender waits. Browsers cannot. */
  pause?(): void;
  resume?(): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: 'close',
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
}

/** An HTTP answer instead of a connection, or an error of the system. */
export type SocketFailure =
  | { readonly kind: 'answer'; readonly status: number; readonly body: unknown }
  | { readonly kind: 'error'; readonly cause: unknown };

/** `headers` are empty in browsers, which cannot send any. */
export type OpenWebSocket = (
  url: string,
  protocols: readonly string[],
  headers: Readonly<Record<string, string>>,
) => WebSocketLike;

type Constructor = new (
  url: string,
  options: readonly string[] | { protocols: readonly string[]; headers: Record<string, string> },
) => WebSocketLike;

/** The global `WebSocket` of browsers and of Node 22 or later. */
export const globalWebSocket: OpenWebSocket = (url, protocols, headers) => {
  const { WebSocket } = globalThis as unknown as { readonly WebSocket?: Constructor };
  if (WebSocket === undefined) {
    throw new TypeError('This runtime has no WebSocket: pass `webSocket` to createClient');
  }
  if (!/^wss?:/.test(url)) {
    throw new TypeError(`WebSockets need a server at http:// or https://, not ${url}`);
  }
  const hasHeaders = Object.keys(headers).length > 0;
  return new WebSocket(url, hasHeaders ? { protocols, headers: { ...headers } } : protocols);
};
