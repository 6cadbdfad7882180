/** Why a body was refused, and the response to the caller. */

export type BodyRefusal =
  /** `stated`: the `Content-Length`; null if the limit was exceeded while the body arrived. */
  | { readonly kind: 'too-large'; readonly limit: number; readonly stated: number | null }
  | { readonly kind: 'too-slow'; readonly received: number; readonly seconds: number }
  /** Other bodies use all the memory at the moment. */
  | { readonly kind: 'no-memory'; readonly retryAfterSeconds: number }
  /** Larger than the share of one caller, so a retry does not help. */
  | { readonly kind: 'never-fits'; readonly limit: number }
  | { readonly kind: 'encoded'; readonly encoding: string }
  | { readonly kind: 'cut-off' };

export class RefusedBody extends Error {
  override name = 'RefusedBody';
  readonly refusal: BodyRefusal;
  readonly statusCode: number;

  constructor(refusal: BodyRefusal) {
    super(refusalText(refusal));
    this.refusal = refusal;
    this.statusCode = statusOf(refusal);
  }
}

function statusOf({ kind }: BodyRefusal): number {
  switch (kind) {
    case 'too-large':
    case 'never-fits':
      return 413;
    case 'too-slow':
      return 408;
    case 'no-memory':
      return 429;
    case 'encoded':
      return 415;
    case 'cut-off':
      return 400;
  }
}

function refusalText(refusal: BodyRefusal): string {
  switch (refusal.kind) {
    case 'too-large': {
      const { stated, limit } = refusal;
      const size = stated === null ? `more than ${limit} bytes` : `${stated} bytes`;
      return `The body has ${size}; the server accepts ${limit} here`;
    }
    case 'never-fits':
      return `The body has more than ${refusal.limit} bytes, the limit for one caller. To allow more, raise DSTACK_SERVER_REQUEST_MEMORY on the server`;
    case 'too-slow':
      return `The body arrived too slowly: ${refusal.received} bytes in ${refusal.seconds} seconds`;
    case 'no-memory':
      return 'The server is processing too many large requests. Try again in a moment';
    case 'encoded':
      return `The body has the encoding ${JSON.stringify(refusal.encoding)}; the server accepts bodies without Content-Encoding only`;
    case 'cut-off':
      return 'The connection ended before the body was complete';
  }
}
