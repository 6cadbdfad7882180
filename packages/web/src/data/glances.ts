import { turns } from './turns.ts';

/** Sends the requests of single rows, three at a time. Browsers allow six connections to a server. */
export const glanceInTurn = turns(3);

/** Rows that are scrolled out of view are forgotten soon. */
export const GLANCE_MS = 60_000;
