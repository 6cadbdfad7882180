/** One request after the checks that all endpoints have in common: the input of a handler. */
import type { IncomingMessage } from 'node:http';
import type {
  ClientVersion,
  EndpointName,
  EndpointQuery,
  EndpointRequest,
  EndpointResponse,
  endpoints,
} from '@dstack/contract/api';
import type { ProjectRole } from '@dstack/contract/wire';
import type { ProjectRecord, SessionRecord, UserRecord } from '@dstack/store';
import type { Logger } from '../process/logging.ts';
import type { UploadedFile } from './uploads.ts';

type PermissionOf<N extends EndpointName> = (typeof endpoints)[N]['permission'];

/** Unauthenticated. */
interface Anybody {
  readonly user: null;
  readonly project: null;
  readonly role: null;
}

interface SignedIn {
  readonly user: UserRecord;
  readonly project: null;
  readonly role: null;
}

interface MaybeSignedIn {
  readonly user: UserRecord | null;
  readonly project: null;
  readonly role: null;
}

interface InProject {
  readonly user: UserRecord;
  readonly project: ProjectRecord;
  /** Role in the project; a global admin counts as its admin. Null: not a member. */
  readonly role: ProjectRole | null;
}

type Identity<P> = P extends 'public' | 'service_token' | 'service_auth'
  ? Anybody
  : P extends 'optional'
    ? MaybeSignedIn
    : P extends 'auth' | 'global_admin'
      ? SignedIn
      : InProject;

/** For the few handlers that read or write headers. */
export interface HttpExchange {
  readonly request: IncomingMessage;
  setHeader(name: string, value: string): void;
}

export type Call<N extends EndpointName> = Identity<PermissionOf<N>> & {
  readonly body: EndpointRequest<N>;
  readonly query: EndpointQuery<N>;
  /** Parameters of the path, by name. */
  readonly params: Readonly<Record<string, string>>;
  /** Null: the newest, or not stated. */
  readonly client: ClientVersion | null;
  /** Reads the file of an upload; only for endpoints that accept one. */
  readonly file: () => Promise<UploadedFile>;
  /** The session of a browser; null: the caller has sent a token, or nothing. */
  readonly session: SessionRecord | null;
  readonly exchange: HttpExchange;
  readonly log: Logger;
};

export type Handler<N extends EndpointName> = (call: Call<N>) => Promise<EndpointResponse<N>>;

/** Registers the handler of an endpoint of the table. */
export type On = <N extends EndpointName>(name: N, handler: Handler<N>) => void;
