/** Between a worker that accepts connections and those that it has started, over Node's own channel. */

/** Raised with every change of these messages: a worker of another form gets no connections, and accepts them itself. */
export const SHARE_FORM = 2;

/** To a worker that gets connections. */
export type FromAccepter =
  /** With the socket. `n`: its number in this channel. */
  | { readonly type: 'connection'; readonly n: number }
  /** Follows each of them: a process that can open no more files never gets the message with the socket. */
  | { readonly type: 'given'; readonly n: number }
  /** No more of them follow. */
  | { readonly type: 'last' };

/** To the worker that accepts. */
export type FromTaker =
  | { readonly type: 'ready'; readonly form: number }
  /** How many of all its connections are open. It has taken those up to the number `taken`. */
  | { readonly type: 'open'; readonly open: number; readonly taken: number }
  /** The connection with this number did not arrive. */
  | { readonly type: 'missed'; readonly n: number }
  /** It is to get no more connections. */
  | { readonly type: 'leave' }
  /** The answer to `last`: it has taken all. */
  | { readonly type: 'done' };
