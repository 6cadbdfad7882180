/** Where agents connect to their server; the instance follows, as its backend names it. */
export const DIAL_OUT_PATH = '/api/agents/dial/';

/** Where agents of Slurm jobs of the previous version connect; job and number of the node follow. */
export const FORMER_DIAL_OUT_PATH = '/api/agents/slurm/';
