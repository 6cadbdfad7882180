/** A simulated backend for tests and benchmarks; servers load it only if that is allowed. */

export { NO_FAULTS, type SimFaults } from '@dstack/contract';
export type { SimCalls, SimClock, SimOutcome, SimRandom } from './calls.ts';
export { type SimControl, simControl } from './control.ts';
export { SIM_OFFERS } from './offers.ts';
export { type OpenedSim, type OpenSimOptions, openSim } from './open-sim.ts';
export { type SimAddress, type SimAgents, SimProvider } from './provider.ts';
export { type SimOptions, simBackend } from './sim.ts';
export { memoryTables, type SimMachine, type SimTables } from './tables.ts';
