/** Seconds of one slot of measured load. */
export const LOAD_SLOT = 5;
