/** The descriptor of a kind of backend whose machines are containers of jobs, started by the provider. */
import type { BackendHost, BackendKind } from '../kind.ts';
import { endpointOf, endpointVariable, openerOf, type VmKind } from '../rest-vm/vm-kind.ts';
import type { VmWay } from '../rest-vm/vm-way.ts';
import { AGENT_URL, type ContainerReach, containerReach } from './reach.ts';

/** Processors of containers. */
const ARCH = 'x64';

export function containerKind<Config>(kind: VmKind<Config>): BackendKind {
  const { type, title } = kind;
  const variable = endpointVariable(type);
  return {
    type,
    variables: [variable, AGENT_URL],
    configure: (env, { url: serverUrl }) => {
      const elsewhere = endpointOf(env, variable);
      const isElsewhere = elsewhere !== null;
      const reach = containerReach(env, { title, serverUrl, isElsewhere });
      return {
        type,
        ...(reach.problem === null && {
          dialIn: async () => (await import('./agent-name.ts')).isContainerAgent,
        }),
        load: async (host) => {
          const wayOf = await ways(title, reach, host);
          return openerOf(kind, elsewhere ?? kind.endpoint, host, (_, secret) => wayOf(secret));
        },
      };
    },
  };
}

async function ways(
  title: string,
  reach: ContainerReach,
  { dialIns, downloads = null }: BackendHost,
): Promise<(secret: string) => VmWay> {
  const { dialWay, noWay } = await import('./dial-way.ts');
  if (reach.problem !== null) return () => noWay(reach.problem);
  if (dialIns === null || downloads === null) {
    return () => noWay(`${title} cannot be used here: agents open no connections to this server`);
  }
  const { dialUrl, fetchUrl } = reach;
  const download = () => downloads.agent(ARCH);
  return (secret) => dialWay({ title, secret, dialUrl, fetchUrl, download, dialIns });
}
