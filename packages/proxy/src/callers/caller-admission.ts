import type { IncomingMessage } from 'node:http';
import {
  bareForms,
  type CredentialPlace,
  credentialPlaces,
  placesWith,
} from '../head/credential-places.ts';
import { valuesOf } from '../head/raw-headers.ts';
import {
  otherService,
  ProxyRefusal,
  type ServiceName,
  serviceNotFound,
} from '../refusals/refusal.ts';
import type { OriginSession } from '../values.ts';
import type { Admit, ClientConnection, ServiceCaller } from './callers.ts';
import type { OwnTokens } from './own-tokens.ts';

export interface CallerAdmissionOptions {
  readonly admit: Admit;
  readonly ownTokens: Pick<OwnTokens, 'among' | 'inPlaces' | 'marks'>;
  /** Called for a client whose access was revoked. */
  readonly cutOff: (client: ClientConnection) => void;
}

const NONE: ReadonlySet<string> = new Set();

/** By what a caller may be admitted. */
interface CallerProof {
  readonly request: IncomingMessage;
  readonly session: OriginSession | null;
}

export interface Arrival {
  readonly service: ServiceName;
  /** The service has a replica, or starts one. */
  readonly mayAnswer: boolean;
  readonly proof: CallerProof;
  readonly client: ClientConnection;
}

/** Who may send requests to a service, and which credentials its app must not receive. */
export class CallerAdmission {
  readonly #options: CallerAdmissionOptions;

  constructor(options: CallerAdmissionOptions) {
    this.#options = options;
  }

  /** Throws `ProxyRefusal`. */
  async admit({ service, mayAnswer, proof, client }: Arrival): Promise<ServiceCaller> {
    try {
      const caller = await this.#admitted(service, proof, () => this.#options.cutOff(client));
      if (caller.services?.includes(service.runName) === false) {
        caller.release();
        throw otherService(service, caller.services);
      }
      if (client.destroyed) caller.release();
      else client.on('close', () => caller.release());
      return caller;
    } catch (error) {
      // Only members may learn that an unavailable service exists.
      if (mayAnswer || !(error instanceof ProxyRefusal)) throw error;
      throw serviceNotFound(service, error.cause ?? error);
    }
  }

  /** A session that has ended does not hide a valid token. */
  #admitted(
    { projectName }: ServiceName,
    { request, session }: CallerProof,
    onRevoked: () => void,
  ): Promise<ServiceCaller> {
    if (session === null) return this.#options.admit(projectName, request, onRevoked);
    return this.#admittedBySession(projectName, { request, session }, onRevoked);
  }

  async #admittedBySession(
    projectName: string,
    { request, session }: CallerProof,
    onRevoked: () => void,
  ): Promise<ServiceCaller> {
    const { admit } = this.#options;
    try {
      const caller = await admit(projectName, request, onRevoked, session);
      return { ...caller, isSession: true };
    } catch (error) {
      const hasToken = request.headers.authorization !== undefined;
      if (!hasToken || !(error instanceof ProxyRefusal) || !error.needsSignIn) throw error;
      return await admit(projectName, request, onRevoked);
    }
  }

  /**
   * Values of headers, cookies and parameters that contain a token of this server. `rest`: the path with its query.
   */
  ownValues(
    { headers, rawHeaders }: Pick<IncomingMessage, 'headers' | 'rawHeaders'>,
    rest: string,
    caller: ServiceCaller | null,
  ): ReadonlySet<string> | Promise<ReadonlySet<string>> {
    // The first value has admitted the caller, so it needs no look-up.
    const isByHeader = caller !== null && caller.isSession !== true;
    const admitted = (isByHeader && headers.authorization) || null;
    const others = valuesOf(rawHeaders, 'authorization').filter((value) => value !== admitted);
    const places = credentialPlaces(rawHeaders, rest, this.#options.ownTokens.marks);
    if (others.length + places.length > 0) {
      return this.#withOwn({ rawHeaders, rest, others, places }, admitted);
    }
    if (admitted === null) return NONE;
    return new Set([admitted, ...placesWith(rawHeaders, rest, tokensIn([admitted]))]);
  }

  async #withOwn(
    { rawHeaders, rest, others, places }: SentHead,
    admitted: string | null,
  ): Promise<ReadonlySet<string>> {
    const { ownTokens } = this.#options;
    const [among, placed] = await Promise.all([
      ownTokens.among(others),
      ownTokens.inPlaces(places),
    ]);
    const own = [...among, ...(admitted === null ? [] : [admitted])];
    const tokens = tokensIn(own);
    const repeated = others.filter((value) => tokens.some((token) => value.includes(token)));
    return new Set([...own, ...repeated, ...placed, ...placesWith(rawHeaders, rest, tokens)]);
  }
}

/** The parts of a request beside `Authorization` that may contain a token. */
interface SentHead {
  readonly rawHeaders: readonly string[];
  readonly rest: string;
  /** Further values of `Authorization`. */
  readonly others: readonly string[];
  readonly places: readonly CredentialPlace[];
}

/** A shorter text is in values by chance. */
const LEAST = 8;

/**
 * The tokens of values of `Authorization` that belong to this server. Tokens that an operator has chosen have no form
 * by which they are found in other places, but a client that sends one here may repeat it there.
 */
function tokensIn(own: readonly string[]): string[] {
  return own.flatMap((value) => {
    const token = bareForms(value).at(-1) ?? '';
    return token.length < LEAST ? [] : [token];
  });
}
