/** How the agent gets into a pod and is started there, whatever the image of the job. */
import { posix } from 'node:path';

/** The folder of a volume that only the pod has. */
const ROOT = '/dstack';
/** The mount of the secret with the agent's token. */
export const TOKEN_DIR = '/dstack-token';
export const TOKEN_KEY = 'token';
/** The port of the agent inside the pod's own network. */
export const TUNNEL_PORT = 10_998;

/** Where a claim with the programs is mounted, which the nodes of the cluster share. */
export const CLAIM_ROOT = '/dstack-agent';

/** Where an operator keeps the programs on the nodes (`deploy/kubernetes/agent-on-nodes.yaml`). */
const ON_NODES = '/var/lib/dstack-agent';

/** Whether this path of a node is, contains or leads into the folder of the programs there. */
export function leadsToAgent(source: AgentSource, path: string): boolean {
  if (source.kind !== 'claim') return false;
  const given = posix.resolve('/', path);
  const folder = given === '/' ? '/' : `${given}/`;
  return `${ON_NODES}/`.startsWith(folder) || folder.startsWith(`${ON_NODES}/`);
}

/** Where the image with the programs is mounted, and their folder in it. */
export const IMAGE_ROOT = '/dstack-image';
const IN_IMAGE = `${IMAGE_ROOT}/dstack-agent`;

/** How the programs get into a pod. */
export type AgentSource =
  /** A container of this image copies them before the one of the job starts. */
  | { readonly kind: 'image'; readonly image: string }
  /** The node mounts this image into the container of the job. */
  | { readonly kind: 'volume'; readonly image: string }
  /** They are in this claim of the namespace. */
  | { readonly kind: 'claim'; readonly claim: string }
  /** The server copies them into the started container. */
  | { readonly kind: 'copy' };

/** No job may write to it: each job and gateway of the namespace runs the agent from it. */
export function isClaimOfAgent(source: AgentSource, claim: string): boolean {
  return source.kind === 'claim' && source.claim === claim;
}

const LIB = `${ROOT}/lib`;
export const AGENT_STATE = `${ROOT}/state`;

/**
 * Node by its own loader and libraries: the image may have another C library, or none. The loader has
 * the same name for all architectures.
 */
function nodeIn(folder: string): string[] {
  const lib = `${folder}/lib`;
  return [`${lib}/ld.so`, '--library-path', lib, `${folder}/node`];
}

export const AGENT_ROOT = ROOT;
/** Exists once the programs are complete. */
export const READY = `${ROOT}/ready`;

export function agentCommand(source: AgentSource, serverId: string): string[] {
  const folder = programsOf(source);
  const command = [
    ...[...nodeIn(folder), '--max-old-space-size=256', `${folder}/agent/main.js`],
    ...['--state', AGENT_STATE, '--socket', `${ROOT}/run/agent.sock`],
    ...['--executor', 'process', '--job-container', '--server-id', serverId],
    ...['--token-file', `${TOKEN_DIR}/${TOKEN_KEY}`, '--tunnel-port', String(TUNNEL_PORT)],
  ];
  return source.kind === 'copy' ? waiting(command) : command;
}

export function agentEnv(source: AgentSource) {
  return [
    { name: 'DSTACK_AGENT_NODE', value: nodeIn(programsOf(source)).join(' ') },
    // Nothing of the agent outlives its pod, so that its files need not survive a power cut.
    { name: 'DSTACK_AGENT_SYNC', value: 'off' },
  ];
}

function programsOf({ kind }: AgentSource): string {
  if (kind === 'volume') return IN_IMAGE;
  return kind === 'claim' ? CLAIM_ROOT : ROOT;
}

/** Waits in the container of the job until the server has copied the programs. */
function waiting(command: readonly string[]): string[] {
  const script = `until [ -e ${READY} ]; do sleep 0.1 2>/dev/null || sleep 1; done; exec "$@"`;
  return ['/bin/sh', '-c', script, 'sh', ...command];
}

/** One file of the agent: a script that reads it, of this length, from its standard input. */
export interface DeliveryStep {
  readonly part: 'libraries' | 'agent' | 'node';
  readonly script: (bytes: number) => string;
}

/** Sets `own` to a name of this copy alone: several servers may copy into the same pod at once. */
const ownName = (path: string) => `read -r id < /proc/sys/kernel/random/uuid; own=${path}.$id`;

/**
 * The steps of a copy, in any order or together; each may be repeated, also by several servers at once:
 * complete files replace nothing that is in use. The last one to end has found those of the others. No step
 * reads beyond its file, because some shells' tools read ahead.
 */
export const DELIVERY: readonly DeliveryStep[] = [
  {
    part: 'libraries',
    script: (bytes) =>
      script(
        unpacked(bytes, LIB, ['for loader in $own/ld-linux*; do cp "$loader" $own/ld.so; done']),
      ),
  },
  {
    part: 'agent',
    script: (bytes) => script(unpacked(bytes, `${ROOT}/agent`)),
  },
  {
    part: 'node',
    script: (bytes) =>
      script([
        ownName(`${ROOT}/node`),
        `head -c ${bytes} | gunzip -c > $own; chmod 755 $own`,
        // The loader keeps the file that it has opened.
        `mv -f $own ${ROOT}/node`,
      ]),
  },
];

/** A folder from a tar, in place once it is complete. */
function unpacked(bytes: number, folder: string, more: readonly string[] = []): string[] {
  return [
    `${ownName(folder)}; mkdir $own`,
    `head -c ${bytes} | gunzip -c | tar -xf - -C $own`,
    ...more,
    // If another copy arrives in between, this one lands inside it and is not used.
    `if [ -e ${folder} ]; then rm -rf $own; else mv $own ${folder}; fi`,
  ];
}

/** In each part, since the first one to fail is the one that is reported. */
const TOOLS = `for tool in gunzip tar head; do command -v $tool >/dev/null || { echo "the image has no $tool, so it needs DSTACK_KUBERNETES_AGENT_IMAGE" >&2; exit 9; }; done`;

/** Another server may have copied everything. */
function script(lines: readonly string[]): string {
  const isComplete = [LIB, `${ROOT}/agent`, `${ROOT}/node`].map((path) => `[ -e ${path} ]`);
  const end = `if ${isComplete.join(' && ')}; then : > ${READY}; fi`;
  return [`[ -e ${READY} ] && exit 0`, TOOLS, 'set -e; umask 022', ...lines, end].join('\n');
}
