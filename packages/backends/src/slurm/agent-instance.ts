/** How an agent names its instance when it connects to the server: the job, and its node in it. */

const INSTANCE = /^dstack-[a-z0-9-]{1,57}\.(?:0|[1-9]\d{0,4})$/;

export const agentInstance = (job: string, rank: number | string): string => `${job}.${rank}`;

/** Whether the agent of a Slurm job can have this name. */
export const isAgentInstance = (name: string): boolean => INSTANCE.test(name);
