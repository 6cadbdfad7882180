/** Fixes about other runs: which must end, and which can be overtaken. */

import type { Fix } from '@dstack/contract/wire';
import { isServerHost } from '../capabilities/capabilities.ts';
import type { InstanceRecord, PlacementSnapshot } from '../model/index.ts';
import { localHostOf } from '../offers/local-limits.ts';
import { isInstanceBusy } from '../status/index.ts';
import { applyCommand } from './commands.ts';
import { fix } from './diagnosis.ts';
import type { BlockHolder, NamedRun } from './input.ts';
import type { Repair } from './repair.ts';
import { listText } from './texts.ts';

/** How many runs are tried one by one, and how many are named. */
const TRIED = 6;
const NAMED = 3;

/** The most that a run's priority can be. */
const HIGHEST = 100;

export function holderFixes(repair: Repair): Fix[] {
  return [...endFixes(repair), ...priorityFix(repair)];
}

function endFixes(repair: Repair): Fix[] {
  const { waiting, around, trials } = repair;
  const { names, holders } = around;
  const own = waiting.look.gang.run.id;
  const runs = uniqueRuns(holders.map((one) => one.run)).filter((run) => run.id !== own);
  if (runs.length === 0 || !waiting.rows.some(isTaken)) return [];
  const suffices = (ended: readonly NamedRun[]): boolean =>
    trials.helps(trials.world((snapshot) => without(snapshot, holders, ended)));
  const alone = runs.slice(0, TRIED).filter((run) => suffices([run]));
  if (alone.length > 0) {
    return alone.slice(0, NAMED).map((run) => {
      const isOwn = names.isOwn(run);
      const text = `Wait until ${names.run(run)} ends${isOwn ? ', or stop it' : ''}`;
      return fix(text, { command: isOwn ? `dstack stop ${run.name}` : null });
    });
  }
  const named = [...new Set(runs.map((run) => names.run(run)))];
  if (suffices(runs)) {
    return [fix(`Wait until enough of these have ended: ${listText(named, NAMED)}`)];
  }
  return turnFix(repair, runs, named);
}

/** Even if the holders end, runs that are ahead come first. */
function turnFix(repair: Repair, ended: readonly NamedRun[], named: readonly string[]): Fix[] {
  const { waiting, around, trials } = repair;
  const own = waiting.look.gang.run.id;
  const alone = trials.world((snapshot) => ({
    ...without(snapshot, around.holders, ended),
    gangs: snapshot.gangs.filter((gang) => gang.run.id === own),
  }));
  if (waiting.ahead.length === 0 || !trials.helps(alone)) return [];
  const first = waiting.ahead.map(({ run, project }) => (project ? `${project}/${run}` : run));
  const ends = named.length === 1 ? 'ends' : 'end';
  return [
    fix(`Wait until ${listText(named, NAMED)} ${ends}, and for those ahead: ${listText(first)}`),
  ];
}

const isTaken = ({ rule }: { readonly rule: string | null }): boolean =>
  rule === 'busy' || rule === 'gpus_taken' || rule === 'nodes.max' || rule === 'local_limit';

function uniqueRuns(runs: readonly NamedRun[]): NamedRun[] {
  return [...new Map(runs.map((run) => [run.id, run])).values()];
}

/** The snapshot after these runs have released their blocks. */
function without(
  snapshot: PlacementSnapshot,
  holders: readonly BlockHolder[],
  ended: readonly NamedRun[],
): PlacementSnapshot {
  const runs = new Set(ended.map((run) => run.id));
  const freed = new Map<string, number>();
  for (const { run, instanceId, blocks } of holders) {
    if (runs.has(run.id)) freed.set(instanceId, (freed.get(instanceId) ?? 0) + blocks);
  }
  const instances = snapshot.instances.map((one) => release(one, freed.get(one.id) ?? 0));
  const serverHosts = snapshot.serverHosts.map((machine) => {
    const isBusyHere = (one: InstanceRecord) =>
      isServerHost(one.backend) && one.busyBlocks > 0 && localHostOf(one) === machine.hostId;
    // Instances of other projects on the server host are not part of the snapshot.
    const hidden = machine.busy.length - snapshot.instances.filter(isBusyHere).length;
    return hidden > 0 ? machine : { ...machine, busy: instances.filter(isBusyHere) };
  });
  return { ...snapshot, instances, serverHosts };
}

function release(instance: InstanceRecord, blocks: number): InstanceRecord {
  if (blocks === 0) return instance;
  const busyBlocks = Math.max(0, instance.busyBlocks - blocks);
  const isFree = busyBlocks === 0 && isInstanceBusy(instance.status);
  return { ...instance, busyBlocks, status: isFree ? 'idle' : instance.status };
}

/** A higher priority takes over what is reserved for a run that is ahead. */
function priorityFix({ waiting, trials }: Repair): Fix[] {
  const { look, ahead } = waiting;
  const { run } = look.gang;
  const highest = Math.max(...ahead.map((one) => one.priority ?? HIGHEST), -Infinity);
  const priority = Math.max(highest + 1, run.priority + 1);
  if (ahead.length === 0 || priority > HIGHEST) return [];
  const isHelp = trials.helps(
    trials.world((snapshot) => ({
      ...snapshot,
      gangs: snapshot.gangs.map((gang) =>
        gang.run.id === run.id ? { ...gang, run: { ...gang.run, priority } } : gang,
      ),
    })),
  );
  if (!isHelp) return [];
  const names = listText(ahead.filter((one) => one.priority !== null).map((one) => one.run));
  const value = `priority: ${priority}`;
  return [fix(`Let it go before ${names}`, { command: applyCommand(run), value })];
}
