import type { openMemoryStore, Store } from '@dstack/store';
import type { Fault } from './faults.ts';
import type { QueueCounts } from './queue-watches.ts';

export interface SimulationOptions {
  readonly seed: number;
  /** Events from outside: actions of users and faults. */
  readonly steps: number;
  /** One server with a database of its own (SQLite): the time is that of its host, whose clock is set often. */
  readonly hasOwnClock?: boolean;
  /** How often faults happen, where it differs from `FAULTS`. */
  readonly faults?: Partial<Record<Fault, number>>;
  /** The share of machines and volumes that never get ready. */
  readonly neverReady?: number;
  /** Many long runs fight for few shared hosts, on which two projects have guarantees. */
  readonly isCrowd?: boolean;
  /** Fleets get short windows of maintenance. */
  readonly hasWindows?: boolean;
  /** How much more often than usual users work with arrays and with runs that depend on others. */
  readonly arrays?: number;
  /** Whether servers delete what is some minutes old. */
  readonly retention?: boolean;
  /** Omitted: a database in memory. */
  readonly openStore?: typeof openMemoryStore;
  /** Receives each event, for the search for a fault. */
  readonly onStep?: (text: string) => void;
  /** Receives the database in the state that a fault has left. */
  readonly onBreach?: (store: Store) => Promise<void>;
}

export interface SimulationResult {
  readonly steps: number;
  readonly timers: number;
  readonly submissions: number;
  readonly checks: number;
  /** Seconds of simulated time that passed. */
  readonly seconds: number;
  readonly queue: QueueCounts;
  /** Members that were born, and arrays that ended. */
  readonly arrays: { readonly births: number; readonly arraysEnded: number };
  /** Starts of jobs and members that had to wait for other runs. */
  readonly dependentStarts: number;
  /** Messages of gateways that were refused. */
  readonly lies: number;
  /** How often a fleet was looked at that had to be empty. */
  readonly emptied: number;
}
