/** Regular times in which no job is on a fleet. */
export { fleetWindow, windowText } from './fleet-window.ts';
export { FleetWindows } from './fleet-windows.ts';
export { type MaintenanceTime, maintenanceProblem, windowAt } from './windows.ts';
