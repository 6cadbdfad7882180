/** The particulars of one provider's API: paths, authentication, bodies, limits. */
import type { CloudAccount, CloudIds } from './account.ts';
import type { CallAllowance, CallRule } from './call-limits.ts';
import type { CloudCatalog } from './capacity.ts';
import type { Refusal } from './refusal.ts';
import type { CloudAnswer, CloudRequest } from './request.ts';
import type { VmMetadata } from './vm.ts';

export interface CloudCall extends CloudRequest {
  /** Values of `{name}` in the path of the route. */
  readonly params: Readonly<Record<string, string>>;
  readonly account: CloudAccount;
  /** Where clients reach the simulated API. */
  readonly url: string;
}

export interface CloudRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Like `/v2/droplets/{id}`. */
  readonly path: string;
  /** Throws a `Refusal` if the provider would not carry it out. */
  readonly answer: (call: CloudCall) => CloudAnswer | Promise<CloudAnswer>;
}

export interface Personality {
  readonly name: string;
  readonly catalog: CloudCatalog;
  /** The user whose `authorized_keys` hold the keys of a new machine. */
  readonly loginUser: string;
  /** Ids in the provider's form. */
  readonly ids?: Partial<CloudIds>;
  /** A new secret in the provider's form. */
  readonly newApiKey: () => string;
  readonly authenticates: (request: CloudRequest, apiKey: string) => boolean;
  readonly limits: readonly CallRule[];
  readonly routes: readonly CloudRoute[];
  readonly refuse: (refusal: Refusal, request: CloudRequest) => CloudAnswer;
  /** Answers machines at 169.254.169.254; omitted = nothing answers there. */
  readonly metadata?: VmMetadata;
  /** Headers of every answer. */
  readonly headers?: (allowance: CallAllowance | null) => Readonly<Record<string, string>>;
}
