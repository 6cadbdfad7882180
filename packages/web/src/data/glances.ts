import { turns } from './turns.ts';

/** What each row of a table asks for by itself. Browsers allow six connections to a server. */
export const glanceInTurn = turns(3);

/** Rows that are scrolled out of view are forgotten soon. */
export const GLANCE_MS = 60_000;
