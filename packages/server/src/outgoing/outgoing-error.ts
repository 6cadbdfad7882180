/** Why a request was not made, or was cut off. */
export type OutgoingRefusal =
  /** Not an address of the public Internet. The addresses of a name are not revealed. */
  | { readonly rule: 'address'; readonly host: string }
  | { readonly rule: 'protocol'; readonly protocol: string }
  | { readonly rule: 'redirects'; readonly most: number }
  | { readonly rule: 'size'; readonly bytes: number };

/** A request that the server does not make on behalf of users. */
export class OutgoingRefused extends Error {
  override name = 'OutgoingRefused';
  readonly refusal: OutgoingRefusal;

  constructor(refusal: OutgoingRefusal) {
    super(textOf(refusal));
    this.refusal = refusal;
  }
}

/** There was no response: no address, no connection, or no response in time. */
export class OutgoingFailed extends Error {
  override name = 'OutgoingFailed';
}

function textOf(refusal: OutgoingRefusal): string {
  switch (refusal.rule) {
    case 'address':
      return `${refusal.host} is not an address of the public Internet: the server connects to it only if DSTACK_SERVER_OUTGOING_ALLOW names it`;
    case 'protocol':
      return `the protocol ${refusal.protocol} is not allowed: use https: or http:`;
    case 'redirects':
      return `there are more than ${refusal.most} redirects`;
    case 'size':
      return `the response has more than ${refusal.bytes} bytes`;
  }
}
