/** Refused requests for changes become events, a bounded number of them. */
import { ApiError, type Endpoint, type EndpointName } from '@dstack/contract/api';
import { type NewEvent, projectTarget, recordEvent, userTarget } from '@dstack/core';
import type { RefusedCaller } from '../callers/identity.ts';
import { isReading } from '../callers/scope.ts';
import { actorOf, callingUser } from './event-actor.ts';

export interface RefusedCall {
  readonly name: EndpointName;
  readonly endpoint: Pick<Endpoint, 'method' | 'path'>;
  readonly caller: RefusedCaller;
  readonly address: string;
  readonly error: unknown;
}

export interface RefusalEventsOptions {
  readonly write: (events: readonly NewEvent[]) => Promise<void>;
  readonly onError: (error: unknown) => void;
  /** Microseconds. */
  readonly now: () => number;
}

/** The same refusal of one user is one event an hour (µs). */
const WINDOW = 3_600_000_000;

/** Different refusals of one user that become events in an hour. */
const MOST_PER_USER = 20;

/** Users remembered; the oldest are forgotten first. */
const MOST_USERS = 10_000;

interface Recent {
  readonly since: number;
  readonly keys: Set<string>;
}

/**
 * In the memory of this server: another server, or a restart, may record the same refusal again.
 * Callers without a known token are never recorded: they could fill the log.
 */
export class RefusalEvents {
  readonly #options: RefusalEventsOptions;
  readonly #recent = new Map<string, Recent>();

  constructor(options: RefusalEventsOptions) {
    this.#options = options;
  }

  /** Ignores other errors, and refused reads. */
  record({ name, endpoint, caller, address, error }: RefusedCall): void {
    const { user, project, token } = caller;
    if (!(error instanceof ApiError) || error.status !== 403 || isReading(endpoint)) return;
    if (!this.#isNew(user.id, `${name} ${project?.id ?? ''}`)) return;
    const event = recordEvent({
      action: 'request.refused',
      data: { endpoint: name, reason: reasonOf(error) },
      outcome: 'refused',
      targets: [project === null ? userTarget(user) : projectTarget(project)],
      actor: actorOf(callingUser(user, token, address)),
    });
    this.#options.write([event]).catch(this.#options.onError);
  }

  #isNew(userId: string, key: string): boolean {
    const now = this.#options.now();
    const known = this.#recent.get(userId);
    const isOpen = known !== undefined && now - known.since < WINDOW && now >= known.since;
    const recent = isOpen ? known : { since: now, keys: new Set<string>() };
    if (recent.keys.has(key) || recent.keys.size >= MOST_PER_USER) return false;
    recent.keys.add(key);
    if (!isOpen) {
      this.#recent.delete(userId);
      this.#recent.set(userId, recent);
      const [oldest] = this.#recent.keys();
      if (this.#recent.size > MOST_USERS && oldest !== undefined) this.#recent.delete(oldest);
    }
    return true;
  }
}

/** Without the lead and the advice, which names admins. */
function reasonOf({ msg }: ApiError): string {
  const [reason = ''] = msg.split(';');
  return reason.replace(/^Access denied: /, '').slice(0, 500);
}
