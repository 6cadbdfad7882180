/**
 * What becomes of every key of the configuration language, reviewed by hand: `field-use.test.ts` compares it
 * with the language and finds each place. A key that nothing acts on must be refused or noted, so that
 * nobody relies on it.
 */

/** A file, or a folder with one in it, below `packages/`; `text` is what is found there, the key's own name if left out. */
export interface FieldUse {
  /** `used`: it has an effect there; `refused`: whoever sets it is told no; `noted`: told without an effect. */
  readonly how: 'used' | 'refused' | 'noted';
  readonly where: string;
  readonly text?: string;
}

export type ModelUse = Readonly<Record<string, FieldUse>>;

const used = (where: string, text?: string): FieldUse => ({
  how: 'used',
  where,
  ...(text === undefined ? {} : { text }),
});
const noted = (where: string, text: string): FieldUse => ({ how: 'noted', where, text });
const refused = (where: string, text: string): FieldUse => ({ how: 'refused', where, text });

const WARNINGS = 'contract/src/configuration/warnings.ts';
const BUILD = 'core/src/job-spec';
const PARTS = 'core/src/job-spec';
const COMBINE = 'core/src/offers';
const MATCH = 'core/src/offers';
const NEEDS = 'core/src/offers';
const FLEET_SPEC = 'core/src/fleet-spec';
const PROBES = 'core/src/job-spec';
const DEMAND = 'core/src/reconcile';
const SERVICE = 'server/src/http/runs/service-spec.ts';

/** Which model is read. */
const type = used('contract/src/configuration/schema-kit.ts', 'tagged');

/** Keys of profiles, which runs have too. */
const PROFILE: ModelUse = {
  backends: used(NEEDS),
  regions: used(NEEDS),
  availability_zones: used(NEEDS),
  instance_types: used(NEEDS),
  reservation: used(NEEDS),
  spot_policy: used(COMBINE),
  retry: used(BUILD),
  max_duration: used(BUILD),
  stop_duration: used(BUILD),
  max_price: used(MATCH),
  creation_policy: used('core/src/placement'),
  idle_duration: used('core/src/placement'),
  utilization_policy: used('core/src/reconcile', 'min_gpu_utilization'),
  startup_order: used('core/src/reconcile'),
  stop_criteria: used('core/src/reconcile'),
  schedule: used('core/src/reconcile'),
  fleets: used('core/src/placement', 'profile.fleets'),
  instances: used('core/src/placement', 'profile.instances'),
  tags: used('server/src/effects/effects.ts'),
  backend_options: used(COMBINE),
};

/** Keys of every run. */
const RUN: ModelUse = {
  ...PROFILE,
  type,
  name: used('core/src/run-spec', 'run_name'),
  image: used(PARTS),
  user: used(BUILD),
  privileged: used(PARTS),
  entrypoint: used('core/src/job-spec'),
  working_dir: used(BUILD),
  home_dir: noted(WARNINGS, "note(['home_dir'], 'is deprecated and has no effect')"),
  registry_auth: used('server/src/effects/agent-job-spec.ts'),
  python: used(PARTS),
  nvcc: used(PARTS),
  single_branch: used(BUILD),
  env: used(BUILD),
  shell: used(PARTS),
  resources: used(PARTS),
  priority: used('core/src/run-spec'),
  volumes: used(BUILD),
  docker: used(PARTS),
  repos: used(BUILD),
  files: used('cli/src/files/upload.ts'),
  dstack: used(BUILD),
  setup: used('core/src/job-spec'),
};

const noSetup = noted(WARNINGS, 'is deprecated and has no effect in a');

const GATEWAY = refused('core/src/reconcile', 'This server cannot create');
const VOLUME = refused('core/src/reconcile', 'This server cannot');
const PRESET = refused('cli/src/commands/apply/apply.ts', 'Cannot apply a configuration of type');
const BACKEND = noted('server/src/config/bootstrap.ts', 'cannot make machines there yet');

/** Models that are refused or noted as a whole, whatever is set in them. */
export const WHOLE: Readonly<Record<string, FieldUse>> = {
  GatewayConfiguration: GATEWAY,
  ALBGatewayLoadBalancer: GATEWAY,
  LetsEncryptGatewayCertificate: GATEWAY,
  ACMGatewayCertificate: GATEWAY,
  GCPCertificateManagerGatewayCertificate: GATEWAY,
  AWSVolumeConfiguration: VOLUME,
  GCPVolumeConfiguration: VOLUME,
  RunpodVolumeConfiguration: VOLUME,
  KubernetesVolumeConfiguration: VOLUME,
  DaytonaVolumeConfiguration: VOLUME,
  LiumVolumeConfiguration: VOLUME,
  PresetConfiguration: PRESET,
  PresetModelRepo: PRESET,
  PresetModelBase: PRESET,
  PresetPromptFile: PRESET,
  PresetAgentConfig: PRESET,
};

/** Accounts of backends in `config.yml`: their models end so. */
export const BACKEND_MODEL =
  /^(AWS|Azure|CloudRift|Crusoe|Cudo|Verda|Daytona|BaseDigitalOcean|GCP|HotAisle|JarvisLabs|Kubernetes|Lambda|Lium|OCI|Nebius|Runpod|Seeweb|TensorDock|VastAI|Vultr|Slurm|Kubeconfig).*(Creds|ConfigWithCreds|Config|OSImage)$/;
export const BACKEND_USE = BACKEND;

export const FIELD_USE: Readonly<Record<string, ModelUse>> = {
  DevEnvironmentConfiguration: {
    ...RUN,
    ide: used('core/src/job-spec'),
    version: used('core/src/job-spec'),
    init: used('core/src/job-spec'),
    inactivity_duration: used('core/src/reconcile'),
    ports: used(PARTS),
  },
  TaskConfiguration: {
    ...RUN,
    setup: noSetup,
    nodes: used(PARTS),
    groups: used(PARTS),
    ports: used(PARTS),
    commands: used(PARTS),
  },
  ServiceConfiguration: {
    ...RUN,
    setup: noSetup,
    port: used(BUILD),
    gateway: used(SERVICE),
    strip_prefix: used('server/src/proxy/service-routes.ts'),
    model: used(SERVICE),
    https: used(SERVICE),
    auth: used('server/src/proxy/service-routes.ts'),
    scaling: used(DEMAND),
    rate_limits: refused(SERVICE, '`rate_limits` are not available without a gateway'),
    probes: used(PROBES),
    replicas: used('core/src/run-spec'),
    groups: used(PARTS),
    commands: used(PARTS),
  },
  NodeGroup: {
    name: used(PARTS),
    nodes: used(PARTS),
    resources: used(PARTS),
    commands: used(PARTS),
    ports: used(PARTS),
  },
  ReplicaGroup: {
    name: used(PARTS),
    replicas: used('core/src/run-spec'),
    scaling: used(DEMAND),
    resources: used(PARTS),
    spot_policy: used(PARTS),
    reservation: used(PARTS),
    commands: used(PARTS),
    image: used(PARTS),
    python: used(PARTS),
    nvcc: used(PARTS),
    docker: used(PARTS),
    privileged: used(PARTS),
    router: used('core/src/reconcile'),
  },
  ReplicaGroupRouterConfig: {
    type: refused('core/src/run-spec', 'does not connect the router in group'),
  },
  ScalingSpec: {
    metric: used('contract/src/configuration/service-parts.ts', "metric: choice(['rps']"),
    target: used(DEMAND),
    window: used(DEMAND),
    scale_up_delay: used(DEMAND),
    scale_down_delay: used(DEMAND),
  },
  RateLimit: {
    prefix: refused(SERVICE, '`rate_limits` are not available'),
    key: refused(SERVICE, '`rate_limits` are not available'),
    rps: refused(SERVICE, '`rate_limits` are not available'),
    burst: refused(SERVICE, '`rate_limits` are not available'),
  },
  IPAddressPartitioningKey: { type: refused(SERVICE, '`rate_limits` are not available') },
  HeaderPartitioningKey: {
    type: refused(SERVICE, '`rate_limits` are not available'),
    header: refused(SERVICE, '`rate_limits` are not available'),
  },
  ProbeConfig: {
    type: used(PROBES),
    url: used('server/src/proxy/probes/probe.ts'),
    method: used('server/src/proxy/probes/probe.ts'),
    headers: used('server/src/proxy/probes/probe.ts'),
    body: used('server/src/proxy/probes/probe.ts'),
    timeout: used('server/src/proxy/probes/probe.ts'),
    interval: used('server/src/proxy/probes/prober.ts'),
    ready_after: used('core/src/reconcile'),
    until_ready: used('server/src/proxy/probes/prober.ts'),
  },
  HTTPHeaderSpec: {
    name: used('server/src/proxy/probes/probe.ts'),
    value: used('server/src/proxy/probes/probe.ts'),
  },
  OpenAIChatModel: {
    type: used(SERVICE, 'model.type'),
    name: used(PROBES, 'model.name'),
    format: used(SERVICE, 'model.format'),
    prefix: used(SERVICE, 'model.prefix'),
  },
  TGIChatModel: {
    type: used(SERVICE, 'model.type'),
    name: used('server/src/http/runs/chat-model.ts', 'model.name'),
    format: used('server/src/http/runs/chat-model.ts'),
    chat_template: used('server/src/http/proxy/models/routes.ts'),
    eos_token: used('server/src/http/proxy/models/routes.ts'),
  },
  PortMapping: {
    local_port: used(BUILD),
    container_port: used(BUILD),
  },
  RegistryAuth: {
    username: used('server/src/effects/agent-job-spec.ts'),
    password: used('server/src/effects/agent-job-spec.ts'),
  },
  EnvSentinel: { key: used('cli/src/configuration/env.ts') },
  Range_int_: { min: used(MATCH), max: used(MATCH) },
  Range_Memory_: { min: used(MATCH), max: used(MATCH) },
  CPUSpec: { arch: used(MATCH), count: used(MATCH) },
  GPUSpec: {
    vendor: used(MATCH),
    name: used(MATCH),
    count: used(MATCH),
    memory: used(MATCH),
    total_memory: used(MATCH),
    compute_capability: used(MATCH),
  },
  DiskSpec: { size: used(MATCH) },
  ResourcesSpec: {
    cpu: used(MATCH),
    memory: used(MATCH),
    shm_size: used('server/src/effects/agent-job-spec.ts'),
    gpu: used(MATCH),
    disk: used(MATCH),
  },
  VolumeMountPoint: {
    name: refused('server/src/effects/agent-job-spec.ts', 'cannot be mounted there'),
    path: used('core/src/run-spec'),
  },
  InstanceMountPoint: {
    instance_path: used('server/src/effects/agent-job-spec.ts'),
    path: used('server/src/effects/agent-job-spec.ts'),
    optional: used('server/src/effects/agent-job-spec.ts'),
  },
  RepoSpec: {
    local_path: used('cli/src/repos/prepare.ts'),
    url: used('cli/src/repos/prepare.ts'),
    branch: used('cli/src/repos/prepare.ts'),
    hash: used('cli/src/repos/prepare.ts'),
    path: used(BUILD, 'repo?.path'),
    if_exists: used(BUILD),
  },
  FilePathMapping: {
    local_path: used('cli/src/files/upload.ts'),
    path: used('cli/src/files/upload.ts'),
  },
  ProfileRetry: { on_events: used(BUILD), duration: used(BUILD) },
  UtilizationPolicy: {
    min_gpu_utilization: used('core/src/reconcile'),
    time_window: used('core/src/reconcile'),
  },
  Schedule: { cron: used('core/src/reconcile') },
  EntityReference: {
    project: used('core/src/offers'),
    name: used('core/src/offers'),
  },
  InstanceNameSelector: { name: used('core/src/offers') },
  InstanceHostnameSelector: { hostname: used('core/src/offers') },
  FleetInstanceSelector: {
    fleet: used('core/src/offers'),
    instance: used('core/src/offers'),
  },
  VastAIProfileOptions: {
    type: used(COMBINE),
    offer_order: used(COMBINE),
    min_reliability: used(COMBINE),
    min_score: used(COMBINE),
  },
  Profile: {
    ...PROFILE,
    name: used('cli/src/config/profiles.ts'),
    default: used('cli/src/config/profiles.ts'),
  },
  FleetNodesSpec: {
    min: used('core/src/reconcile', 'nodes.min'),
    target: used('core/src/reconcile', 'nodes.target'),
    max: used('core/src/instances'),
  },
  SSHKey: { public: used(FLEET_SPEC), private: used(FLEET_SPEC) },
  SSHProxyParams: {
    hostname: used(FLEET_SPEC),
    port: used(FLEET_SPEC),
    user: used(FLEET_SPEC),
    identity_file: used('cli/src/commands/apply/fleet.ts'),
    ssh_key: used(FLEET_SPEC),
  },
  SSHHostParams: {
    hostname: used(FLEET_SPEC),
    port: used(FLEET_SPEC),
    user: used(FLEET_SPEC),
    identity_file: used('cli/src/commands/apply/fleet.ts'),
    proxy_jump: used(FLEET_SPEC),
    internal_ip: used(FLEET_SPEC),
    ssh_key: used(FLEET_SPEC),
    blocks: used(FLEET_SPEC),
  },
  SSHParams: {
    user: used(FLEET_SPEC),
    port: used(FLEET_SPEC),
    identity_file: used('cli/src/commands/apply/fleet.ts'),
    ssh_key: used(FLEET_SPEC),
    proxy_jump: used(FLEET_SPEC),
    hosts: used(FLEET_SPEC),
    network: used('core/src/fleet-spec'),
  },
  FleetConfiguration: {
    type,
    name: used(FLEET_SPEC),
    placement: used('core/src/fleet-spec'),
    blocks: used('core/src/plan', 'configuration.blocks'),
    nodes: used('core/src/instances'),
    reservation: used('core/src/fleet-spec'),
    resources: used('core/src/fleet-spec'),
    backends: used(NEEDS),
    regions: used(NEEDS),
    availability_zones: used(NEEDS),
    instance_types: used(NEEDS),
    spot_policy: used('core/src/fleet-spec'),
    retry: noted(WARNINGS, 'has no effect: a fleet always tries again'),
    max_price: used('core/src/fleet-spec'),
    idle_duration: used('core/src/placement'),
    tags: used('server/src/effects/effects.ts'),
    backend_options: used(COMBINE),
    ssh_config: used(FLEET_SPEC),
    env: used('server/src/effects/start-job.ts'),
  },
  ServerConfig: {
    projects: used('server/src/config/bootstrap.ts'),
    encryption: used('server/src/config/config-file.ts'),
    default_permissions: used('server/src/http-settings.ts'),
    plugins: refused('server/src/config/config-file.ts', 'are not supported'),
  },
  ProjectConfig: {
    name: used('server/src/config/bootstrap.ts'),
    backends: used('server/src/config/bootstrap.ts'),
  },
  ProfilesConfig: { profiles: used('cli/src/config/profiles.ts') },
  AESEncryptionKeyConfig: {
    type: used('server/src/config/cipher.ts', "'aes'"),
    name: used('server/src/config/cipher.ts'),
    secret: used('server/src/config/cipher.ts'),
  },
  IdentityEncryptionKeyConfig: { type: used('server/src/config/cipher.ts', "'identity'") },
  EncryptionConfig: { keys: used('server/src/config/config-file.ts') },
  DefaultPermissions: {
    allow_non_admins_create_projects: used('server/src/http/mapping/user.ts'),
    allow_non_admins_manage_ssh_fleets: used('server/src/http/mapping/project.ts'),
    allow_managers_manage_secrets: used('server/src/http/secrets/service.ts'),
  },
};
