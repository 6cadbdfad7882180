/** Why a request was not made, or not to its end. */
export type OutgoingRefusal =
  /** Not of the public Internet; what a name stands for is not told. */
  | { readonly rule: 'address'; readonly host: string }
  | { readonly rule: 'protocol'; readonly protocol: string }
  | { readonly rule: 'redirects'; readonly most: number }
  | { readonly rule: 'size'; readonly bytes: number };

/** The server does not do this on behalf of users. */
export class OutgoingRefused extends Error {
  override name = 'OutgoingRefused';
  readonly refusal: OutgoingRefusal;

  constructor(refusal: OutgoingRefusal) {
    super(textOf(refusal));
    this.refusal = refusal;
  }
}

/** Nobody answered: no address, no connection, no answer in time. */
export class OutgoingFailed extends Error {
  override name = 'OutgoingFailed';
}

function textOf(refusal: OutgoingRefusal): string {
  switch (refusal.rule) {
    case 'address':
      return `${refusal.host} is not an address of the public Internet: the server connects to it only if DSTACK_SERVER_OUTGOING_ALLOW names it`;
    case 'protocol':
      return `${refusal.protocol} is not used for this: it may be https: or http:`;
    case 'redirects':
      return `there are more than ${refusal.most} redirects`;
    case 'size':
      return `the answer is over ${refusal.bytes} bytes`;
  }
}
