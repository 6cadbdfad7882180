import type { ChangeMessage, ChangeType, StreamNotice } from '@dstack/contract/wire';
import { reopening } from '../reopening.ts';
import type { Transport } from '../transport.ts';

export interface ChangesQuery {
  /** Only these; default all. */
  readonly types?: readonly ChangeType[];
  /** Continue after the message with this id. */
  readonly after?: string | null;
}

/** `alive` comes every 15 s, so that a lost connection is noticed. `id`: where to continue later. */
export type StreamedChange =
  | { readonly kind: 'change'; readonly id: string; readonly change: ChangeMessage }
  | { readonly kind: 'notice'; readonly id: string; readonly notice: StreamNotice }
  | { readonly kind: 'alive'; readonly id: string };

/** The changes in all projects of the caller, as they happen. */
export function changesOf(transport: Transport) {
  async function* open(
    { types, after }: ChangesQuery,
    signal: AbortSignal,
  ): AsyncGenerator<StreamedChange, void> {
    for await (const event of events(transport, types, after ?? null, signal)) {
      const streamed = parsed(event);
      if (streamed !== null) yield streamed;
    }
  }
  return {
    /**
     * One connection: ends when the server closes it, and throws when it breaks. For callers that show
     * the state of the connection and reconnect by themselves.
     *
     * @throws NotFoundError or MethodNotAllowedError (see `isUnsupported`) if the server has no such
     *   stream.
     */
    open,
    /** The same over as many connections as needed; a reconnection continues where the last one ended. */
    async *watch(query: ChangesQuery, signal: AbortSignal): AsyncGenerator<StreamedChange, void> {
      let after = query.after ?? null;
      const next = () => events(transport, query.types, after, signal);
      for await (const event of reopening(next, transport.wait, signal)) {
        after = event.id;
        const streamed = parsed(event);
        if (streamed !== null) yield streamed;
      }
    },
  };
}

function events(
  transport: Transport,
  types: readonly ChangeType[] | undefined,
  after: string | null,
  signal: AbortSignal,
) {
  return transport.events('/api/stream', { types: types?.join(',') }, signal, after);
}

/** Null: a message that this version does not know. */
function parsed({ event, data, id }: { event: string; data: string; id: string }) {
  switch (event) {
    case 'change':
      return { kind: 'change', id, change: JSON.parse(data) as ChangeMessage } as const;
    case 'ready':
    case 'reset': {
      const notice = { event, ...JSON.parse(data) } as StreamNotice;
      return { kind: 'notice', id, notice } as const;
    }
    case 'alive':
      return { kind: 'alive', id } as const;
    default:
      return null;
  }
}
