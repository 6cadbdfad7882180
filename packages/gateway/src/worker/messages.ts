/** Messages between the main process of a gateway and its workers, which carry the requests. */
import type { AccessPages, GatewayCommand, GatewayFrame } from '@dstack/contract/agent';
import type { CountedService, KeptGrant } from '@dstack/proxy';

/** Main -> worker: orders of the server as they are, and these. */
export type ToWorker =
  | GatewayCommand
  /** Number of the worker, and the path of its socket. */
  | { readonly type: 'start'; readonly socket: string; readonly group: number | null }
  | { readonly type: 'limits'; readonly timeoutMs: number; readonly authAge: number }
  | { readonly type: 'online'; readonly online: boolean }
  /** The private key for replicas on other hosts. */
  | { readonly type: 'tunnel-key'; readonly key: string }
  /** Answer to `take`: seconds until the request would be allowed; 0 = it is. */
  | { readonly type: 'taken'; readonly n: number; readonly wait: number }
  /** Answer to `deliver`. */
  | { readonly type: 'delivered'; readonly n: number }
  /** These service tokens have used something: what their budgets have left is asked again. */
  | { readonly type: 'tokens-used'; readonly tokens: readonly string[] }
  /** The facts about callers that nginx receives are valid while this is the present generation; null = it gets none. */
  | { readonly type: 'generation'; readonly generation: string | null }
  | { readonly type: 'cached'; readonly entries: readonly KeptGrant[] }
  /** The server has refused this caller to another worker. */
  | { readonly type: 'caller-refused'; readonly key: string }
  /** The server cannot be asked now. */
  | { readonly type: 'unanswered'; readonly n: number };

/** Main -> worker, with a socket that was opened for it. */
export interface TunnelOpen {
  readonly type: 'tunnel-open';
  readonly id: string;
  /** Bytes that were read from the socket already, in Base64. */
  readonly head: string;
}

/** Worker -> main: frames for the server as they are, and these. */
export type FromWorker =
  | Exclude<
      GatewayFrame,
      {
        type: 'status' | 'counts' | 'usage' | 'dns' | 'figures' | 'accessed' | 'log' | 'renewing';
      }
    >
  | { readonly type: 'listening' }
  /** Answer to `access`. */
  | { readonly type: 'access-pages'; readonly n: number; readonly pages: AccessPages }
  /** Those that have changed. */
  | { readonly type: 'figures'; readonly services: readonly CountedService[] }
  | {
      readonly type: 'requests';
      readonly counts: readonly { run_id: string; second: number; requests: number }[];
      readonly waiting: readonly string[];
    }
  | {
      readonly type: 'take';
      readonly n: number;
      readonly key: string;
      /** Each service has buckets of its own. */
      readonly service: string;
      readonly rate: { readonly rps: number; readonly burst: number };
    }
  /** The server is to store the uses of models in these files before the answer. */
  | {
      readonly type: 'deliver';
      readonly n: number;
      readonly files: readonly string[];
      readonly tokens: readonly string[];
    }
  | { readonly type: 'caller'; readonly entry: KeptGrant }
  /** The server has refused this caller. */
  | { readonly type: 'caller-refused'; readonly key: string };
