/** The data that a worker of a gateway receives besides the messages of every worker (`proxy/src/worker`). */
import type { GatewayHost, GatewayModelUse } from '@dstack/contract/agent';
import type { MeteredUse, TokenMark } from '@dstack/proxy';

/** Sent by parts, as they change. */
export interface GatewayState {
  /** There is a server. */
  readonly online: boolean;
  /** Seconds during which known callers are admitted while the server does not answer. */
  readonly authAge: number;
  readonly httpsPort: number;
  /** Marks of tokens of the server that gateways do not know, and apps must not receive. */
  readonly tokenMarks: readonly TokenMark[];
  /** The private key for replicas on other hosts. */
  readonly tunnelKey: string;
  readonly hosts: Readonly<Record<string, GatewayHost>>;
  /** Names of the model endpoints, by project. */
  readonly models: Readonly<Record<string, string>>;
  /** The facts about callers that nginx receives are valid while this is the present generation; null = it gets none. */
  readonly generation: string | null;
}

/** Where the worker is to listen. */
export interface Listen {
  readonly socket: string;
  readonly group: number | null;
}

/** A use as the server takes it from gateways, which know users and projects by name. */
export function gatewayUse({ projectId, userId, tokenId, ...use }: MeteredUse): GatewayModelUse {
  const { model, day, requests, aborted, estimated, promptTokens, completionTokens } = use;
  return {
    ...{ project: projectId, user: userId, token: tokenId },
    ...{ model, day, requests, aborted, estimated },
    ...{ prompt_tokens: promptTokens, completion_tokens: completionTokens },
  };
}
