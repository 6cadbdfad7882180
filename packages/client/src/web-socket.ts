/** WebSockets of browsers and of Node, which are the same but for headers. */

/** The part of the standard's `WebSocket` that is used. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  send(data: string | Uint8Array): void;
  close(code?: number): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: 'close',
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
}

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
  const hasHeaders = Object.keys(headers).length > 0;
  return new WebSocket(url, hasHeaders ? { protocols, headers: { ...headers } } : protocols);
};
