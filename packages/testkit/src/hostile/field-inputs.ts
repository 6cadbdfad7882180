/** Texts and lists for every kind of field that one of our grammars reads. */
import { type HostileInput, post } from './request.ts';
import { LISTS, TEXTS } from './texts.ts';

const KIB = 1024;

type Body = (value: unknown) => unknown;

interface Field {
  readonly path: string;
  readonly body: Body;
  /** Programs and keys may be long; other texts are refused above 8 KiB. */
  readonly isContent?: boolean;
}

const plan = (configuration: object): unknown => ({
  run_spec: { run_name: 'hostile', configuration, profile: { name: 'default' } },
});
const task =
  (more: (value: unknown) => object): Body =>
  (value) =>
    plan({ type: 'task', commands: ['true'], ...more(value) });
const service =
  (more: (value: unknown) => object): Body =>
  (value) =>
    plan({ type: 'service', port: 80, image: 'x', commands: ['true'], ...more(value) });

const RUN = '/api/project/main/runs/get_plan';
const run = (body: Body, isContent = false): Field => ({ path: RUN, body, isContent });

const fleet = (configuration: object): unknown => ({
  spec: {
    configuration: { type: 'fleet', name: 'hostile', ...configuration },
    profile: { name: 'x' },
  },
});
const FLEET = '/api/project/main/fleets/get_plan';
const host = (value: object): unknown =>
  fleet({
    ssh_config: {
      user: 'u',
      ssh_key: { public: 'a', private: '-----BEGIN OPENSSH PRIVATE KEY-----' },
      hosts: ['10.0.0.1'],
      ...value,
    },
  });

const backend = (body: Body): Field => ({
  path: '/api/project/main/backends/create',
  body,
  isContent: true,
});

export const FIELDS: Readonly<Record<string, Field>> = {
  'commands of a task': run(
    task((value) => ({ commands: [value] })),
    true,
  ),
  'a variable of a task': run(
    task((value) => ({ env: { A: value } })),
    true,
  ),
  'variables as a list': run(
    task((value) => ({ env: [value] })),
    true,
  ),
  'an entrypoint': run(
    task((value) => ({ image: 'x', entrypoint: value })),
    true,
  ),
  'an image': run(task((value) => ({ image: value }))),
  'a working directory': run(task((value) => ({ working_dir: value }))),
  'a port': run(task((value) => ({ ports: [value] }))),
  'a mount': run(task((value) => ({ volumes: [value] }))),
  'a name of a volume': run(task((value) => ({ volumes: [{ name: value, path: '/v' }] }))),
  'a file': run(task((value) => ({ files: [value] }))),
  'a repository': run(task((value) => ({ repos: [value] }))),
  'an amount of memory': run(task((value) => ({ resources: { memory: value } }))),
  'a number of CPUs': run(task((value) => ({ resources: { cpu: value } }))),
  'a GPU': run(task((value) => ({ resources: { gpu: value } }))),
  'a disk': run(task((value) => ({ resources: { disk: value } }))),
  'a duration': run(task((value) => ({ max_duration: value }))),
  'a schedule': run(task((value) => ({ schedule: { cron: value } }))),
  'a price': run(task((value) => ({ max_price: value }))),
  'a number of nodes': run(task((value) => ({ nodes: value }))),
  'a backend of a run': run(task((value) => ({ backends: [value] }))),
  'a fleet of a run': run(task((value) => ({ fleets: [value] }))),
  'a user of a container': run(task((value) => ({ user: value }))),
  'a tag': run(task((value) => ({ tags: { a: value } }))),
  'replicas of a service': run(service((value) => ({ replicas: value }))),
  'a probe': run(service((value) => ({ probes: [{ type: 'http', url: value }] }))),
  'a limit of rates': run(service((value) => ({ rate_limits: [{ prefix: value, rps: 1 }] }))),
  'a model': run(service((value) => ({ model: { format: 'openai', name: 'm', prefix: value } }))),
  'a host of a fleet': { path: FLEET, body: (value) => host({ hosts: [value] }) },
  'a key of a fleet': {
    path: FLEET,
    body: (value) => host({ ssh_key: { public: 'a', private: value } }),
    isContent: true,
  },
  'a network of a fleet': { path: FLEET, body: (value) => host({ network: value }) },
  'nodes of a fleet': { path: FLEET, body: (value) => fleet({ nodes: value }) },
  'a size of a volume': {
    path: '/api/project/main/volumes/create',
    body: (size) => ({ configuration: { type: 'volume', backend: 'aws', region: 'r', size } }),
  },
  'a domain of a gateway': {
    path: '/api/project/main/gateways/get_plan',
    body: (domain) => ({
      spec: { configuration: { type: 'gateway', name: 'gg', backend: 'aws', region: 'r', domain } },
    }),
  },
  'a certificate of a gateway': {
    path: '/api/project/main/gateways/set_certificate',
    body: (certificate) => ({ name: 'gg', certificate, key: 'k' }),
    isContent: true,
  },
  'a backend as YAML': {
    ...backend((config_yaml) => ({ config_yaml })),
    path: '/api/project/main/backends/create_yaml',
  },
  'a kubeconfig': backend((data) => ({ type: 'kubernetes', kubeconfig: { data } })),
  'a key of a service account': backend((data) => ({
    ...{ type: 'gcp', project_id: 'p' },
    creds: { type: 'service_account', data },
  })),
  'a key of a cluster': backend((content) => ({
    type: 'slurm',
    clusters: [{ name: 'a', hostname: 'h', user: 'u', private_key: { content } }],
  })),
  'a public key': { path: '/api/users/public_keys/add', body: (key) => ({ key, name: 'k' }) },
  'a name of a secret': { path: '/api/project/main/secrets/get', body: (name) => ({ name }) },
  'a name of a project': {
    path: '/api/projects/create',
    body: (project_name) => ({ project_name }),
  },
  'members of a project': {
    path: '/api/projects/main/add_members',
    body: (members) => ({ members }),
  },
  'names of runs': {
    path: '/api/project/main/runs/delete',
    body: (runs_names) => ({ runs_names }),
  },
  'a time': { path: '/api/runs/list', body: (prev_submitted_at) => ({ prev_submitted_at }) },
  'an id': { path: '/api/runs/list', body: (prev_run_id) => ({ prev_run_id }) },
  'a token of a page': {
    path: '/api/project/main/logs/poll',
    body: (next_token) => ({
      run_name: 'x',
      job_submission_id: '7971ea15-4056-4bef-8833-c93e0e7d5128',
      next_token,
    }),
  },
};

/** The longest text other than content, and the most parts of a body: see the server's limits. */
const MOST_CHARACTERS = 8000;
const MOST_PARTS = 5900;

/** The inputs of one field. */
export function fieldInputs({ path, body, isContent }: Field): HostileInput[] {
  const texts = Object.entries(TEXTS).map(([name, text]) => ({
    name,
    ...(isContent ? { most: 900 * KIB } : { most: MOST_CHARACTERS, repeats: 4 }),
    request: (size: number) => post(path, JSON.stringify(body(text(size)))),
  }));
  const lists = Object.entries(LISTS).map(([name, list]) => ({
    name,
    most: MOST_PARTS,
    request: (size: number) => post(path, JSON.stringify(body(list(size)))),
  }));
  return [...texts, ...lists];
}
