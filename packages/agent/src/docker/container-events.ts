import type { Readable } from 'node:stream';
import type Docker from 'dockerode';

/** The longest wait for the engine to end its answer. */
const ANSWER_MS = 2000;

/** An event of the engine, as far as the agent reads it. */
export interface ContainerEvent {
  readonly Actor?: { readonly Attributes?: { readonly exitCode?: string } };
}

/**
 * Whether the engine has reported such an event of a container since its start, or does within `waitMs`.
 * The daemon keeps its last 256 events and sends those since the start at once.
 */
export async function hasEvent(
  docker: Docker,
  { Id, State }: Docker.ContainerInspectInfo,
  { event, waitMs }: { readonly event: string; readonly waitMs: number },
  isMeant: (event: ContainerEvent) => boolean = () => true,
): Promise<boolean> {
  const events = (await docker.getEvents({
    since: Math.floor(Date.parse(State.StartedAt) / 1000),
    until: (Date.now() + waitMs) / 1000,
    filters: { container: [Id], event: [event] },
  })) as Readable;
  // A daemon that dies meanwhile, or whose clock is behind, must not delay the job's exit.
  const timer = setTimeout(() => events.destroy(), waitMs + ANSWER_MS);
  try {
    for await (const piece of events) if (eventsIn(String(piece)).some(isMeant)) return true;
    return false;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    events.destroy();
  }
}

/** One JSON object for each line. */
function eventsIn(text: string): ContainerEvent[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => JSON.parse(line));
}
