import type { Tool } from '../tool.ts';
import { applyTool } from './apply.ts';
import { eventsTool } from './events.ts';
import { execTool } from './exec.ts';
import { explainTool } from './explain.ts';
import { fleetsTool } from './fleets.ts';
import { logsTool } from './logs.ts';
import { metricsTool } from './metrics.ts';
import { offersTool } from './offers.ts';
import { planTool } from './plan.ts';
import { getRunTool, listRunsTool } from './runs.ts';
import { stopTool } from './stop.ts';

/** Every tool, in the order in which clients list them. */
export const TOOLS: readonly Tool[] = [
  listRunsTool,
  getRunTool,
  explainTool,
  logsTool,
  eventsTool,
  metricsTool,
  fleetsTool,
  offersTool,
  planTool,
  applyTool,
  stopTool,
  execTool,
];
