/** Why a body was not taken, and what the caller is answered. */

export type BodyRefusal =
  /** `stated`: bytes by its `Content-Length`; null where it was cut while it came. */
  | { readonly kind: 'too-large'; readonly limit: number; readonly stated: number | null }
  | { readonly kind: 'too-slow'; readonly received: number; readonly seconds: number }
  /** The bodies under way have all the memory that bodies may have. */
  | { readonly kind: 'no-memory'; readonly retryAfterSeconds: number }
  /** Larger than all the memory that bodies may have: waiting does not help. */
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
      return `The body has more than ${refusal.limit} bytes, which is all that the server keeps of one caller. Raise DSTACK_SERVER_REQUEST_MEMORY on the server`;
    case 'too-slow':
      return `The body came too slowly: ${refusal.received} bytes in ${refusal.seconds} seconds`;
    case 'no-memory':
      return 'The server has too many large requests under way. Try again in a moment';
    case 'encoded':
      return `The body has the encoding ${JSON.stringify(refusal.encoding)}; the server accepts bodies without Content-Encoding only`;
    case 'cut-off':
      return 'The connection ended before the body was complete';
  }
}
