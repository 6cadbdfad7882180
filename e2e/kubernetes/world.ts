/** The cases of the suite share a cluster, a server outside of it, and helpers for runs in its pods. */
import type { Installation } from '@dstack/testkit';
import type { Authority } from '@dstack/testkit/certificate-authority';
import type { TestKubernetes } from '@dstack/testkit/kubernetes';
import type { ApiProxy } from '@dstack/testkit/kubernetes-proxy';
import { configuration, isFinished, isRunning, type ShownRun, untilRun } from '../installation.ts';
import { waitFor } from '../until.ts';

export interface World {
  readonly cluster: TestKubernetes;
  readonly home: Installation;
  /** Between the server and the API of the cluster. */
  readonly proxy: ApiProxy;
  /** Issues the certificates of gateways; null = Pebble is missing. */
  readonly authority: Authority | null;
}

export const SMALL = 'image: busybox:1\n';
/** The beginning of the resources that the pretended nodes have. */
export const RESOURCES = 'resources: {cpu: 1.., memory: 0.2GB.., disk: 1GB..';

export async function submitted(home: Installation, name: string, yaml: string): Promise<void> {
  const file = configuration(home, `${name}.dstack.yml`, yaml);
  await home.ok('apply', '-f', file, '-y', '-d', '--fleet', 'pods');
}

/** A task of the small image. */
export async function task(
  home: Installation,
  name: string,
  commands: readonly string[],
  more = '',
): Promise<void> {
  const yaml = `type: task\nname: ${name}\n${SMALL}commands: ${JSON.stringify(commands)}\n${more}`;
  await submitted(home, name, yaml.includes('resources:') ? yaml : `${yaml}${RESOURCES}}\n`);
}

/** A task of several nodes. */
export async function gang(
  home: Installation,
  name: string,
  nodes: number,
  commands: readonly string[],
  more = `${RESOURCES}}\n`,
): Promise<void> {
  const yaml = `type: task\nname: ${name}\nnodes: ${nodes}\n${SMALL}commands: ${JSON.stringify(commands)}\n${more}`;
  const file = configuration(home, `${name}.dstack.yml`, yaml);
  await home.ok('apply', '-f', file, '-y', '-d', '--fleet', 'cluster');
}

/** Fails with the reason if the run ends instead. */
export async function untilRunning(home: Installation, name: string): Promise<void> {
  const run = await untilRun(home, name, (one) => isRunning(one) || isFinished(one));
  if (!isRunning(run)) throw new Error(await home.ok('explain', name, '-v'));
}

/** The reason of the end, and what the run shows. */
export const message = (shown: ShownRun) =>
  `${shown.latest_job_submission.termination_reason_message} ${shown.status_message}`;

export async function untilPods(cluster: TestKubernetes, is: (names: string[]) => boolean) {
  const names = async () => {
    const text = await cluster.kubectl('get', 'pods', '-o', 'name');
    return text.split('\n').filter((line) => line !== '');
  };
  await waitFor(names, is, String);
}

export interface SeenPod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly namespace: string };
  readonly spec: {
    readonly nodeName?: string;
    readonly containers: readonly {
      readonly resources: { readonly limits?: Readonly<Record<string, string>> };
    }[];
  };
  readonly status?: { readonly startTime?: string };
}

/** The pods of a run that exist now. */
export async function podsOf(
  cluster: TestKubernetes,
  run: string,
  namespace = 'default',
): Promise<readonly SeenPod[]> {
  const where = ['-n', namespace, '-l', `k8s.dstack.ai/name=${run}`];
  const list = await cluster.kubectl('get', 'pods', ...where, '-o', 'json');
  return (JSON.parse(list) as { readonly items: readonly SeenPod[] }).items;
}

/** The pod of a run, once it exists. */
export async function podOf(
  cluster: TestKubernetes,
  run: string,
  namespace?: string,
): Promise<SeenPod> {
  const first = async () => (await podsOf(cluster, run, namespace))[0];
  const pod = await waitFor(first, Boolean, () => `no pod of ${run}`);
  if (!pod) throw new Error(`no pod of ${run}`);
  return pod;
}
