/** Port on which the nodes of a run reach each other, fixed by dstack 0.22.5. */
export const NODE_SSH_PORT = 10_022;
