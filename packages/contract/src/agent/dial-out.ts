/** Where agents of Slurm jobs connect to their server; job name and number of the node follow. */
export const DIAL_OUT_PATH = '/api/agents/slurm/';
