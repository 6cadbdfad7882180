import type { Tool } from '../tool.ts';
import { applyTool } from './apply.ts';
import { costTool } from './cost.ts';
import { deleteTool } from './delete.ts';
import { eventsTool } from './events.ts';
import { execTool } from './exec.ts';
import { explainTool } from './explain.ts';
import { fleetsTool } from './fleets.ts';
import { instanceSchedulingTool } from './instance-scheduling.ts';
import { logsTool } from './logs.ts';
import { metricsTool } from './metrics.ts';
import { offersTool } from './offers.ts';
import { planTool } from './plan.ts';
import { queueTool } from './queue.ts';
import { rerunTool } from './rerun.ts';
import { getRunTool, listRunsTool } from './runs.ts';
import { listSecretsTool, setSecretTool } from './secrets.ts';
import { listQueueTool, quotasTool, sharesTool } from './sharing.ts';
import { stopTool } from './stop.ts';
import { volumesTool } from './volumes.ts';
import { waitTool } from './wait.ts';

/** Every tool, in the order in which clients list them. */
export const TOOLS: readonly Tool[] = [
  listRunsTool,
  getRunTool,
  waitTool,
  explainTool,
  logsTool,
  eventsTool,
  metricsTool,
  fleetsTool,
  listQueueTool,
  quotasTool,
  sharesTool,
  volumesTool,
  listSecretsTool,
  costTool,
  offersTool,
  planTool,
  applyTool,
  stopTool,
  queueTool,
  rerunTool,
  instanceSchedulingTool,
  execTool,
  setSecretTool,
  deleteTool,
];
