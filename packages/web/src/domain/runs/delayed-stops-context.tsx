import type { Client } from '@dstack/client';
import { isRunFinished } from '@dstack/contract/status';
import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useSyncExternalStore,
} from 'react';
import { useClient, useSession } from '../../data/session/session-context.tsx';
import { turns } from '../../data/turns.ts';
import { errorText, isMissingError } from '../../ui/feedback/error-text.ts';
import { toast } from '../../ui/toast/toaster.tsx';
import { useLatest } from '../../ui/use-latest.ts';
import { plural } from '../format/quantities.ts';
import { type DelayedStop, DelayedStops } from './delayed-stops.ts';
import { useStopRuns } from './use-stop-runs.ts';

const Stops = createContext<DelayedStops | null>(null);

/** Keeps stops for all pages, and sends them when the tab is closed or the user signs out. */
export function DelayedStopsScope({ children }: { readonly children: ReactNode }) {
  const session = useSession();
  const client = useClient();
  const stopRuns = useLatest(useStopRuns());
  const stops = useMemo(
    () =>
      new DelayedStops({
        send: async (runs, isLate) => {
          // Another run may have the name of one that has ended meanwhile.
          const present = isLate ? await unfinishedOf(client, runs) : runs;
          if (present.length > 0) await stopRuns.current(present, false);
        },
        onFailure: (runs, error) =>
          toast.failed(`${subject(runs)} could not be stopped`, errorText(error).what),
        now: Date.now,
        after: (ms, run) => {
          const timer = setTimeout(run, ms);
          return () => clearTimeout(timer);
        },
      }),
    [stopRuns, client],
  );
  // For the window and the session, which end outside of React.
  useEffect(() => {
    const flush = () => stops.flush();
    window.addEventListener('pagehide', flush);
    const forget = session.beforeSignOut(flush);
    return () => {
      window.removeEventListener('pagehide', flush);
      forget();
      void flush();
    };
  }, [stops, session]);
  return <Stops.Provider value={stops}>{children}</Stops.Provider>;
}

async function unfinishedOf(
  client: Client,
  runs: DelayedStop['runs'],
): Promise<DelayedStop['runs']> {
  const { signal } = new AbortController();
  const ended = await Promise.all(
    runs.map(({ project, id }) => inTurn(() => hasEnded(client, project, id), signal)),
  );
  return runs.filter((_, place) => !ended[place]);
}

/** Many runs can be stopped together. */
const inTurn = turns(4);

async function hasEnded(client: Client, project: string, id: string): Promise<boolean> {
  try {
    return isRunFinished((await client.project(project).runs.get({ id })).status);
  } catch (error) {
    // Deleted meanwhile: the others are stopped nevertheless.
    if (isMissingError(error)) return true;
    throw error;
  }
}

function useStops(): DelayedStops {
  const stops = useContext(Stops);
  if (stops === null) throw new Error('DelayedStopsScope is missing');
  return stops;
}

/** The stops that can still be undone. */
export function useDelayedStops(): readonly DelayedStop[] {
  const stops = useStops();
  return useSyncExternalStore(stops.subscribe, stops.all);
}

/** Undoes the newest stop that was not sent yet; its keys are shown with the report. */
export function useUndoStop(): () => void {
  const stops = useStops();
  return () => {
    const newest = stops.all().at(-1);
    if (newest !== undefined) undo(stops, newest);
  };
}

/** The key that undoes a stop. */
export const UNDO_KEY = 'u';

/** Stops runs a few seconds later, with a report that has the way back. */
export function useStopWithUndo(): (runs: DelayedStop['runs']) => void {
  const stops = useStops();
  return (runs) => {
    const stop = stops.add(runs);
    toast.undo({
      title: `${subject(runs)} ${runs.length === 1 ? 'is' : 'are'} stopped`,
      until: stop.at,
      keys: UNDO_KEY,
      isOver: (listener) => stops.subscribe(() => stops.all().includes(stop) || listener()),
      onUndo: () => undo(stops, stop),
    });
  };
}

function undo(stops: DelayedStops, stop: DelayedStop): void {
  if (!stops.undo(stop)) return;
  toast.done(`${subject(stop.runs)} ${stop.runs.length === 1 ? 'goes' : 'go'} on`);
}

function subject(runs: DelayedStop['runs']): string {
  const [first] = runs;
  return runs.length === 1 && first ? first.name : plural(runs.length, 'run');
}
