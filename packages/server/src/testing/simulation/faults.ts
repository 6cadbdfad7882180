import type { Random } from '@dstack/testkit/random';
import type { SimWorld } from './sim-backends.ts';

/**
 * Faults outside of the servers. The caller makes servers crash (`crash`), and run out of descriptors
 * (`exhaust`) and recover from that (`refill`), stops them for a while (`suspend`) and continues them (`resume`),
 * ends all of them for hours (`outage`), lets all end and start every few minutes (`restarts`), makes the programs of
 * gateways report and lie (`gateway`), and ends a machine whose runs are held up (`holdRuns`).
 */
export type Fault =
  | 'crash'
  | 'outage'
  | 'restarts'
  | 'exhaust'
  | 'refill'
  | 'suspend'
  | 'resume'
  | 'gateway'
  | 'holdRuns'
  | WorldFault;

type WorldFault =
  | 'breakLink'
  | 'restoreHost'
  | 'failHost'
  | 'repairHost'
  | 'hangDaemon'
  | 'reviveDaemon'
  | 'restartDaemon'
  | 'removeContainer'
  | 'quota'
  | 'interrupt'
  | 'vanish'
  | 'unmountShare'
  | 'mountShare'
  | 'vanishVolume'
  | 'agentLies'
  | 'nothing';

/** How often each happens, relative to the others. */
export const FAULTS: Readonly<Record<Fault, number>> = {
  breakLink: 1,
  restoreHost: 2,
  failHost: 0.5,
  repairHost: 1,
  hangDaemon: 0.5,
  reviveDaemon: 0.7,
  restartDaemon: 0.2,
  removeContainer: 0.2,
  exhaust: 0.25,
  refill: 0.5,
  crash: 0.4,
  outage: 0.03,
  // One such fault takes as long as a story.
  restarts: 0,
  suspend: 0.05,
  resume: 0.6,
  quota: 0.5,
  interrupt: 0.3,
  vanish: 0.2,
  unmountShare: 0.3,
  mountShare: 0.6,
  vanishVolume: 0.15,
  agentLies: 1.5,
  gateway: 3,
  // Passes are late for minutes, which most stories judge.
  holdRuns: 0,
  nothing: 8,
};

/** Faults that take nothing away. */
export const HARMLESS: ReadonlySet<Fault> = new Set<Fault>([
  ...(['nothing', 'restoreHost', 'repairHost', 'reviveDaemon', 'mountShare'] as const),
  ...(['refill', 'quota', 'gateway', 'agentLies'] as const),
]);

export async function doFault(fault: WorldFault, world: SimWorld, random: Random): Promise<void> {
  const hosts = [...world.hosts.values()].filter((host) => host.id !== 'local');
  const { provider } = world;
  const pickMachine = () => random.pick(provider.tables.machines.all());
  switch (fault) {
    case 'breakLink':
      random.pick(hosts)?.setReachable(false);
      return;
    case 'restoreHost':
      random.pick(hosts.filter((host) => !host.isReachable))?.setReachable(true);
      return;
    case 'failHost':
      random.pick(hosts)?.setFailing(true);
      return;
    case 'repairHost':
      random.pick(hosts)?.setFailing(false);
      return;
    case 'hangDaemon':
      random.pick(hosts)?.setHung(true);
      return;
    case 'reviveDaemon':
      random.pick(hosts.filter((host) => host.isHung))?.setHung(false);
      return;
    case 'restartDaemon':
      random.pick(hosts)?.endContainers('daemon_stopped');
      return;
    case 'removeContainer':
      random
        .pick(hosts.filter((host) => host.jobs.running.length > 0))
        ?.endContainers('container_removed');
      return;
    case 'quota':
      world.parts.cloudFaults.quota = random.whole(1, 8);
      return;
    case 'interrupt': {
      const machine = pickMachine();
      if (machine) provider.interrupt(machine, 'taken back');
      return;
    }
    case 'vanish': {
      const machine = pickMachine();
      if (machine) await provider.vanish(machine);
      return;
    }
    case 'unmountShare':
      random
        .pick(hosts.filter(({ volumes }) => volumes.hasShares))
        ?.volumes.setSharesMounted(false);
      return;
    case 'mountShare':
      random.pick(hosts.filter(({ volumes }) => volumes.hasShares))?.volumes.setSharesMounted(true);
      return;
    case 'vanishVolume':
      vanishVolume(world, random);
      return;
    case 'agentLies':
      random.pick([...world.hosts.values()])?.lie();
      return;
    case 'nothing':
  }
}

/** Deletes a volume with the provider's own tools, which refuse that while it is attached. */
function vanishVolume({ provider, deletedByUsers }: SimWorld, random: Random): void {
  const { volumes, attachments } = provider.tables;
  const used = new Set(attachments.all().map(({ volume }) => volume));
  const volume = random.pick(volumes.all().filter(({ id }) => !used.has(id)));
  if (!volume) return;
  deletedByUsers.add(volume.id);
  volumes.delete(volume.id);
}
