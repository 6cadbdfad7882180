/** How the agent of a container names its instance when it connects to the server. */
import { vmName } from '../rest-vm/names.ts';

const NAME = /^dstack-[0-9a-f]{20}$/;

/** From the key of the order. */
export const containerAgent = (key: string): string => vmName(key);

/** Whether the agent of a container can have this name; those of Slurm have a number after a dot. */
export const isContainerAgent = (name: string): boolean => NAME.test(name);
