/**
 * The place where every key of the configuration language has its effect, reviewed by hand:
 * `field-use.test.ts` compares the keys with the language and searches for each in its place. A key
 * without an effect must be refused or noted, so that no user relies on it.
 */

/** `where`: a file or folder below `packages/` that contains `text`, by default the name of the key. */
export interface FieldUse {
  /** `used`: it has an effect there; `refused`: an error; `noted`: a message that it has no effect. */
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
const JOB_SPEC = 'core/src/job-spec';
const OFFERS = 'core/src/offers';
const FLEET_SPEC = 'core/src/fleet-spec';
const RECONCILE = 'core/src/reconcile';
const POD = 'backends/src/kubernetes/pod-spec.ts';
const CLUSTER_GATEWAY = 'backends/src/kubernetes/gateways/gateway-objects.ts';
const SERVICE = 'server/src/http/runs/service-spec.ts';

/** Which model is read. */
const type = used('contract/src/configuration/schema-kit.ts', 'tagged');

/** Keys of profiles, which runs have too. */
const PROFILE: ModelUse = {
  backends: used(OFFERS),
  regions: used(OFFERS),
  availability_zones: used(OFFERS),
  instance_types: used(OFFERS),
  reservation: used(OFFERS),
  spot_policy: used(OFFERS),
  retry: used(JOB_SPEC),
  max_duration: used(JOB_SPEC),
  stop_duration: used(JOB_SPEC),
  max_price: used(OFFERS),
  creation_policy: used('core/src/placement'),
  idle_duration: used('core/src/placement'),
  utilization_policy: used(RECONCILE, 'min_gpu_utilization'),
  startup_order: used(RECONCILE),
  stop_criteria: used(RECONCILE),
  schedule: used(RECONCILE),
  fleets: used('core/src/placement', 'profile.fleets'),
  instances: used('core/src/placement', 'profile.instances'),
  tags: used('server/src/effects/effects.ts'),
  backend_options: used(OFFERS),
};

/** Keys of every run. */
const RUN: ModelUse = {
  ...PROFILE,
  type,
  name: used('core/src/run-spec', 'run_name'),
  image: used(JOB_SPEC),
  user: used(JOB_SPEC),
  privileged: used(JOB_SPEC),
  entrypoint: used(JOB_SPEC),
  working_dir: used(JOB_SPEC),
  home_dir: noted(WARNINGS, "note(['home_dir'], 'is deprecated and has no effect')"),
  registry_auth: used('server/src/effects/agent-job-spec.ts'),
  python: used(JOB_SPEC),
  nvcc: used(JOB_SPEC),
  single_branch: used(JOB_SPEC),
  env: used(JOB_SPEC),
  shell: used(JOB_SPEC),
  resources: used(JOB_SPEC),
  priority: used('core/src/run-spec'),
  volumes: used(JOB_SPEC),
  docker: used(JOB_SPEC),
  repos: used(JOB_SPEC),
  files: used('cli/src/files/upload.ts'),
  dstack: used(JOB_SPEC),
  setup: used(JOB_SPEC),
  backend_settings: used('server/src/effects/container-order.ts'),
};

const noSetup = noted(WARNINGS, 'is deprecated and has no effect in a');

const GATEWAY = refused('server/src/http/gateways/plan.ts', 'This server cannot create');
const VOLUME = refused('server/src/effects/intents/on-volume.ts', 'This server cannot');
const PRESET = refused('cli/src/commands/apply/apply.ts', 'Cannot apply a configuration of type');
const BACKEND = noted('server/src/config/bootstrap.ts', 'cannot make machines there yet');

/** Models that are refused or noted as a whole, whatever is set in them. */
export const WHOLE: Readonly<Record<string, FieldUse>> = {
  ALBGatewayLoadBalancer: GATEWAY,
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

/** Models of backends in `config.yml`, by the end of their names. */
export const BACKEND_MODEL =
  /^(AWS|Azure|CloudRift|Crusoe|Cudo|Verda|Daytona|BaseDigitalOcean|GCP|HotAisle|JarvisLabs|Kubernetes|Lambda|Lium|OCI|Nebius|Runpod|Seeweb|TensorDock|VastAI|Vultr|Slurm|Kubeconfig).*(Creds|ConfigWithCreds|Config|OSImage)$/;
export const BACKEND_USE = BACKEND;

const FIGURES = 'core/src/autoscaling/figures.ts';
const withoutWindow: ModelUse = {
  metric: used(FIGURES),
  target: used('core/src/autoscaling/recommendation.ts'),
  scale_up_delay: used(RECONCILE),
  scale_down_delay: used(RECONCILE),
};
const scalingRule: ModelUse = { ...withoutWindow, window: used(FIGURES) };

export const FIELD_USE: Readonly<Record<string, ModelUse>> = {
  GatewayConfiguration: {
    type,
    name: used('server/src/http/gateways/apply.ts'),
    default: used(RECONCILE),
    backend: used('core/src/offers/capabilities.ts', 'gatewayBackend'),
    region: used('server/src/gateways/gateway-hosts.ts'),
    instance_type: used('server/src/gateways/gateway-hosts.ts', 'instanceType'),
    domain: used(SERVICE, 'wildcardDomain'),
    public_ip: used('core/src/gateway-spec'),
    load_balancer: used('core/src/gateway-spec'),
    certificate: used('server/src/gateways/gateway-settings.ts'),
    replicas: used(RECONCILE),
    tags: used('server/src/gateways/gateway-order.ts'),
    forbid_new_services: used('server/src/http/gateways/usable-gateway.ts'),
    backend_settings: used('server/src/gateways/gateway-order.ts'),
  },
  GatewayBackendSettings: { kubernetes: used(CLUSTER_GATEWAY) },
  KubernetesGatewaySettings: {
    service: used(CLUSTER_GATEWAY),
    image: used(CLUSTER_GATEWAY),
    node_ports: used(CLUSTER_GATEWAY),
    address: used(CLUSTER_GATEWAY),
    ingress_class: used(CLUSTER_GATEWAY),
    traffic_policy: used(CLUSTER_GATEWAY),
    labels: used(CLUSTER_GATEWAY),
    annotations: used(CLUSTER_GATEWAY),
    node_selector: used(CLUSTER_GATEWAY),
    tolerations: used(CLUSTER_GATEWAY),
    priority_class: used(CLUSTER_GATEWAY),
    image_pull_policy: used(CLUSTER_GATEWAY),
    image_pull_secrets: used(CLUSTER_GATEWAY),
    storage_class: used(CLUSTER_GATEWAY),
  },
  KubernetesNodePorts: { http: used(CLUSTER_GATEWAY), https: used(CLUSTER_GATEWAY) },
  LetsEncryptGatewayCertificate: { type },
  DevEnvironmentConfiguration: {
    ...RUN,
    ide: used(JOB_SPEC),
    version: used(JOB_SPEC),
    init: used(JOB_SPEC),
    inactivity_duration: used(RECONCILE),
    ports: used(JOB_SPEC),
  },
  TaskConfiguration: {
    ...RUN,
    setup: noSetup,
    nodes: used(JOB_SPEC),
    groups: used(JOB_SPEC),
    ports: used(JOB_SPEC),
    commands: used(JOB_SPEC),
  },
  ServiceConfiguration: {
    ...RUN,
    setup: noSetup,
    port: used(JOB_SPEC),
    gateway: used(SERVICE),
    strip_prefix: used('proxy/src/routes/service-route.ts'),
    protocol: used('gateway/src/worker/services.ts'),
    model: used(SERVICE),
    https: used(SERVICE),
    auth: used('proxy/src/routes/service-route.ts'),
    scaling: used(RECONCILE),
    autoscaling: used(RECONCILE),
    rate_limits: used('proxy/src/routes/service-route.ts'),
    affinity: used('proxy/src/routes/service-route.ts'),
    hosts: used('server/src/http/runs/custom-hosts.ts'),
    held_requests: used('proxy/src/routes/service-route.ts'),
    mirror: used('proxy/src/routes/service-route.ts'),
    rollout: used(RECONCILE),
    probes: used(JOB_SPEC),
    liveness: used(JOB_SPEC),
    replicas: used('core/src/run-spec'),
    groups: used(JOB_SPEC),
    commands: used(JOB_SPEC),
  },
  NodeGroup: {
    name: used(JOB_SPEC),
    nodes: used(JOB_SPEC),
    resources: used(JOB_SPEC),
    commands: used(JOB_SPEC),
    ports: used(JOB_SPEC),
  },
  ReplicaGroup: {
    name: used(JOB_SPEC),
    replicas: used('core/src/run-spec'),
    scaling: used(RECONCILE),
    autoscaling: used(RECONCILE),
    resources: used(JOB_SPEC),
    spot_policy: used(JOB_SPEC),
    reservation: used(JOB_SPEC),
    commands: used(JOB_SPEC),
    image: used(JOB_SPEC),
    python: used(JOB_SPEC),
    nvcc: used(JOB_SPEC),
    docker: used(JOB_SPEC),
    privileged: used(JOB_SPEC),
    router: used(RECONCILE),
  },
  ReplicaGroupRouterConfig: {
    type: used('server/src/routers'),
  },
  ScalingSpec: {
    metric: used('contract/src/configuration/service-parts.ts', "metric: choice(['rps']"),
    target: used(RECONCILE),
    window: used(RECONCILE),
    scale_up_delay: used(RECONCILE),
    scale_down_delay: used(RECONCILE),
  },
  RpsAutoscaling: scalingRule,
  ConcurrencyAutoscaling: scalingRule,
  LatencyAutoscaling: { ...scalingRule, percentile: used(FIGURES) },
  GpuAutoscaling: scalingRule,
  PrometheusAutoscaling: {
    ...withoutWindow,
    url: used('server/src/scaling/prometheus-queries.ts'),
    query: used('server/src/scaling/prometheus-queries.ts'),
  },
  BackendSettings: {
    kubernetes: used('backends/src/kubernetes/pod-spec.ts'),
    slurm: used('backends/src/slurm/submission.ts'),
  },
  SlurmSettings: {
    partition: used('backends/src/slurm/batch.ts'),
    account: used('backends/src/slurm/batch.ts'),
    qos: used('backends/src/slurm/batch.ts'),
    time_limit: used('backends/src/slurm/batch.ts'),
    constraint: used('backends/src/slurm/batch.ts'),
    reservation: used('backends/src/slurm/batch.ts'),
    container: used('backends/src/slurm/submission.ts'),
    options: used('backends/src/slurm/batch.ts'),
  },
  KubernetesSettings: {
    labels: used(POD),
    annotations: used(POD),
    node_selector: used(POD),
    tolerations: used(POD),
    priority_class: used(POD),
    runtime_class: used(POD),
    scheduler: used(POD),
    service_account: used(POD),
    image_pull_policy: used(POD),
    image_pull_secrets: used(POD),
    queue: used(POD),
  },
  KubernetesToleration: {
    key: used(POD),
    operator: used(POD),
    value: used(POD),
    effect: used(POD),
  },
  Rollout: {
    surge: used(RECONCILE),
    max_unavailable: used(RECONCILE),
    deadline: used('core/src/reconcile/service/follow-rollout.ts'),
    canary: used(RECONCILE),
    hold: used(RECONCILE),
  },
  RateLimit: {
    prefix: used('proxy/src/policy/rate-limits.ts'),
    key: used('proxy/src/policy/rate-limits.ts'),
    rps: used('proxy/src/policy/rate-buckets.ts'),
    burst: used('proxy/src/policy/rate-buckets.ts'),
  },
  IPAddressPartitioningKey: { type: used('proxy/src/policy/rate-limits.ts', 'key.type') },
  HeaderPartitioningKey: {
    type: used('proxy/src/policy/rate-limits.ts', 'key.type'),
    header: used('proxy/src/policy/rate-limits.ts', 'key.header'),
  },
  Mirror: {
    service: used('proxy/src/requests/mirror.ts'),
    percent: used('proxy/src/requests/mirror.ts'),
    methods: used('proxy/src/requests/mirror.ts'),
  },
  HeldRequests: {
    timeout: used('proxy/src/routes/service-route.ts'),
    limit: used('proxy/src/routes/service-route.ts'),
  },
  Liveness: {
    url: used('server/src/probes/probe.ts'),
    method: used('server/src/probes/probe.ts'),
    headers: used('server/src/probes/probe.ts'),
    body: used('server/src/probes/probe.ts'),
    timeout: used('server/src/probes/probe.ts'),
    interval: used('server/src/probes/liveness.ts'),
    failures: used(RECONCILE),
    start_period: used('server/src/probes/liveness-count.ts'),
  },
  ProbeConfig: {
    type: used(JOB_SPEC),
    url: used('server/src/probes/probe.ts'),
    method: used('server/src/probes/probe.ts'),
    headers: used('server/src/probes/probe.ts'),
    body: used('server/src/probes/probe.ts'),
    timeout: used('server/src/probes/probe.ts'),
    interval: used('server/src/probes/prober.ts'),
    ready_after: used(RECONCILE),
    until_ready: used('server/src/probes/prober.ts'),
  },
  HTTPHeaderSpec: {
    name: used('server/src/probes/probe.ts'),
    value: used('server/src/probes/probe.ts'),
  },
  OpenAIChatModel: {
    type: used(SERVICE, 'model.type'),
    name: used(JOB_SPEC, 'model.name'),
    format: used(SERVICE, 'model.format'),
    prefix: used(SERVICE, 'model.prefix'),
  },
  TGIChatModel: {
    type: used(SERVICE, 'model.type'),
    name: used('server/src/http/runs/chat-model.ts', 'model.name'),
    format: used('server/src/http/runs/chat-model.ts'),
    chat_template: used('server/src/http/proxy/models/model-endpoint.ts'),
    eos_token: used('server/src/http/proxy/models/model-endpoint.ts'),
  },
  PortMapping: {
    local_port: used(JOB_SPEC),
    container_port: used(JOB_SPEC),
  },
  RegistryAuth: {
    username: used('server/src/effects/agent-job-spec.ts'),
    password: used('server/src/effects/agent-job-spec.ts'),
  },
  EnvSentinel: { key: used('cli/src/configuration/env.ts') },
  Range_int_: { min: used(OFFERS), max: used(OFFERS) },
  Range_Memory_: { min: used(OFFERS), max: used(OFFERS) },
  CPUSpec: { arch: used(OFFERS), count: used(OFFERS) },
  GPUSpec: {
    vendor: used(OFFERS),
    name: used(OFFERS),
    count: used(OFFERS),
    memory: used(OFFERS),
    total_memory: used(OFFERS),
    compute_capability: used(OFFERS),
  },
  DiskSpec: { size: used(OFFERS) },
  ResourcesSpec: {
    cpu: used(OFFERS),
    memory: used(OFFERS),
    shm_size: used('server/src/effects/agent-job-spec.ts'),
    gpu: used(OFFERS),
    disk: used(OFFERS),
  },
  RemoteVolumeConfiguration: {
    type,
    name: used('core/src/volume-spec'),
    backend: used('core/src/volume-spec'),
    region: used('server/src/effects'),
    availability_zone: used('core/src'),
    size: used('core/src'),
    read_only: used('server/src/effects'),
    tags: used('server/src/effects'),
    auto_cleanup_duration: used('core/src/reconcile'),
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
    path: used(JOB_SPEC, 'repo?.path'),
    if_exists: used(JOB_SPEC),
  },
  FilePathMapping: {
    local_path: used('cli/src/files/upload.ts'),
    path: used('cli/src/files/upload.ts'),
  },
  ProfileRetry: { on_events: used(JOB_SPEC), duration: used(JOB_SPEC) },
  UtilizationPolicy: {
    min_gpu_utilization: used(RECONCILE),
    time_window: used(RECONCILE),
  },
  Schedule: { cron: used(RECONCILE) },
  EntityReference: {
    project: used(OFFERS),
    name: used(OFFERS),
  },
  InstanceNameSelector: { name: used(OFFERS) },
  InstanceHostnameSelector: { hostname: used(OFFERS) },
  FleetInstanceSelector: {
    fleet: used(OFFERS),
    instance: used(OFFERS),
  },
  VastAIProfileOptions: {
    type: used(OFFERS),
    offer_order: used(OFFERS),
    min_reliability: used(OFFERS),
    min_score: used(OFFERS),
  },
  Profile: {
    ...PROFILE,
    name: used('cli/src/config/profiles.ts'),
    default: used('cli/src/config/profiles.ts'),
  },
  FleetNodesSpec: {
    min: used(RECONCILE, 'nodes.min'),
    target: used(RECONCILE, 'nodes.target'),
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
    price: used(FLEET_SPEC),
  },
  SSHParams: {
    user: used(FLEET_SPEC),
    port: used(FLEET_SPEC),
    identity_file: used('cli/src/commands/apply/fleet.ts'),
    ssh_key: used(FLEET_SPEC),
    proxy_jump: used(FLEET_SPEC),
    hosts: used(FLEET_SPEC),
    network: used(FLEET_SPEC),
    price: used(FLEET_SPEC),
  },
  FleetConfiguration: {
    type,
    name: used(FLEET_SPEC),
    placement: used(FLEET_SPEC),
    blocks: used('core/src/plan', 'configuration.blocks'),
    nodes: used('core/src/instances'),
    shared_volumes_path: used('core/src/reconcile/volume/volume-start.ts'),
    reservation: used(FLEET_SPEC),
    resources: used(FLEET_SPEC),
    backends: used(OFFERS),
    regions: used(OFFERS),
    availability_zones: used(OFFERS),
    instance_types: used(OFFERS),
    spot_policy: used(FLEET_SPEC),
    retry: noted(WARNINGS, 'has no effect: a fleet always tries again'),
    max_price: used(FLEET_SPEC),
    idle_duration: used('core/src/placement'),
    tags: used('server/src/effects/effects.ts'),
    backend_options: used(OFFERS),
    ssh_config: used(FLEET_SPEC),
    env: used('core/src/fleet-spec/env.ts'),
  },
  ServerConfig: {
    projects: used('server/src/config/bootstrap.ts'),
    encryption: used('server/src/config/config-file.ts'),
    default_permissions: used('server/src/settings/http-settings.ts'),
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
