/**
 * A configuration of each kind with nearly all of its keys. References take the example of each key from
 * them; a test parses them.
 */
const COMMON = `
image: nvcr.io/nvidia/pytorch:25.05-py3
user: "1000:1000"
privileged: true
entrypoint: /bin/bash -c
working_dir: /workflow
registry_auth:
  username: me
  password: \${{ secrets.NGC_KEY }}
env:
  - HF_TOKEN=\${{ secrets.HF_TOKEN }}
  - EPOCHS=10
shell: bash
resources:
  cpu: 8..
  memory: 64GB..
  shm_size: 16GB
  gpu:
    vendor: nvidia
    name: [A100, H100]
    memory: 40GB..
    count: 1..8
    total_memory: 80GB..
    compute_capability: 8.0
  disk: 200GB..
priority: 50
volumes:
  - name: data
    path: /data
  - instance_path: /mnt/cache
    path: /cache
    optional: true
repos:
  - local_path: .
    path: /workflow
    if_exists: skip
files:
  - local_path: ./train.py
    path: /workflow/train.py
backends: [aws, gcp]
regions: [eu-west-1]
availability_zones: [eu-west-1a]
instance_types: [p4d.24xlarge]
reservation: cr-0123456789
spot_policy: auto
retry:
  on_events: [no-capacity, interruption]
  duration: 2h
max_duration: 12h
stop_duration: 2m
max_price: 4.5
creation_policy: reuse-or-create
idle_duration: 30m
utilization_policy:
  min_gpu_utilization: 10
  time_window: 1h
startup_order: master-first
stop_criteria: master-done
schedule:
  cron: "0 8 * * mon-fri"
fleets: [lab, other-project/shared]
instances: [lab-0]
tags:
  team: nlp
depends_on:
  - run: prepare
    on: success
    keep: true
backend_settings:
  kubernetes:
    labels: {team: nlp}
    annotations: {example.com/cost-center: "17"}
    node_selector: {disk: nvme}
    tolerations:
      - {key: reserved, operator: Equal, value: nlp, effect: NoSchedule}
    priority_class: batch
    runtime_class: nvidia
    scheduler: default-scheduler
    service_account: trainer
    image_pull_policy: IfNotPresent
    image_pull_secrets: [registry]
    queue: nlp
  slurm:
    partition: h100
    account: physics
    qos: high
    time_limit: "12:00:00"
    constraint: infiniband
    reservation: maintenance
    options: {exclude: node-17}
backend_options:
  - type: vastai
    offer_order: score
    min_reliability: 0.98
dstack: true
`;

export const COMPLETE: Readonly<Record<string, string>> = {
  TaskConfiguration: `type: task
name: train
nodes: 2
commands:
  - python train.py
ports: [8000, "6006:6006"]
${COMMON}`,
  ServiceConfiguration: `type: service
name: llama
port: 8000
commands:
  - vllm serve $MODEL
gateway: main
strip_prefix: true
model:
  type: chat
  name: meta-llama/Llama-3.1-8B-Instruct
  format: openai
  prefix: /v1
https: auto
auth: true
scaling:
  metric: rps
  target: 10
  window: 1m
  scale_up_delay: 5m
  scale_down_delay: 10m
rate_limits:
  - prefix: /v1/
    key:
      type: header
      header: X-User
    rps: 4
    burst: 9
probes:
  - type: http
    url: /health
    method: get
    headers:
      - name: X-Probe
        value: "1"
    timeout: 5s
    interval: 10s
    ready_after: 2
    until_ready: true
affinity:
  type: header
  header: X-Session
held_requests:
  timeout: 5m
  limit: 100
mirror:
  service: next
  percent: 10
  methods: [GET, POST]
liveness:
  url: /health
  timeout: 5s
  interval: 20s
  failures: 3
  start_period: 10m
rollout:
  surge: 1
  max_unavailable: 0
  deadline: 10m
  canary: 1
replicas: 1..4
${COMMON}`,
  DevEnvironmentConfiguration: `type: dev-environment
name: notebook
ide: vscode
version: 1.96.0
init:
  - pip install -r requirements.txt
inactivity_duration: 2h
ports: [8888]
${COMMON.replace(/^(entrypoint|dstack): .*\n/gm, '')}`,
  FleetConfiguration: `type: fleet
name: cloud
nodes:
  min: 0
  target: 1
  max: 4
placement: cluster
reservation: cr-0123456789
blocks: auto
resources:
  gpu: H100:8
backends: [aws]
regions: [eu-west-1]
availability_zones: [eu-west-1a]
instance_types: [p5.48xlarge]
spot_policy: on-demand
retry: true
max_price: 60
idle_duration: 1h
env:
  - NCCL_DEBUG=INFO
tags:
  team: nlp
backend_options:
  - type: vastai
    offer_order: score
`,
  'FleetConfiguration of SSH hosts': `type: fleet
name: lab
placement: cluster
blocks: 2
shared_volumes_path: /mnt/nfs/volumes
preemption:
  mode: priority
  min_runtime: 15m
  grace: 2m
maintenance:
  schedule: 0 2 * * sun
  duration: 4h
  lead: 2h
ssh_config:
  user: ubuntu
  identity_file: ~/.ssh/id_ed25519
  port: 22
  network: 10.0.0.0/24
  price: 1.5
  proxy_jump:
    hostname: bastion.example.com
    port: 22
    user: ubuntu
    identity_file: ~/.ssh/bastion
  hosts:
    - 10.0.0.11
    - hostname: 10.0.0.12
      port: 2222
      user: admin
      identity_file: ~/.ssh/other
      internal_ip: 10.0.0.12
      blocks: 4
      price: 2.25
`,
  GatewayConfiguration: `type: gateway
name: main
default: true
backend: aws
region: eu-west-1
domain: "*.services.example.com"
instance_type: t3.small
public_ip: true
certificate:
  type: lets-encrypt
replicas: 1
tags:
  team: infra
`,
  AWSVolumeConfiguration: `type: volume
name: data
backend: aws
region: eu-west-1
availability_zone: eu-west-1a
size: 500GB
auto_cleanup_duration: 7d
tags:
  team: nlp
`,
  'AWSVolumeConfiguration registered': `type: volume
name: old-data
backend: aws
region: eu-west-1
volume_id: vol-0123456789
`,
  KubernetesVolumeConfiguration: `type: volume
name: claim
backend: kubernetes
size: 100GB
storage_class_name: fast
access_modes: [ReadWriteOnce]
`,
  RemoteVolumeConfiguration: `type: volume
name: shared
backend: remote
region: lab
size: 100GB
`,
  'TaskConfiguration with an array': `type: task
name: sweep
commands:
  - python train.py --lr \${{ array.lr }} --seed \${{ array.seed }}
array:
  matrix:
    lr: [0.1, 0.01]
    seed: [1, 2, 3]
  max_parallel: 2
  max_failures: 1
`,
  'TaskConfiguration with groups': `type: task
name: client-and-server
python: "3.12"
groups:
  - name: client
    nodes: 2
    commands:
      - curl http://\${{ groups[1].nodes[0].IP_ADDRESS }}:8000/
  - name: server
    nodes: 1
    ports: [8000]
    resources:
      gpu: 1
    commands:
      - python -m http.server 8000
`,
  'ServiceConfiguration with groups': `type: service
name: two-kinds
port: 8000
python: "3.12"
groups:
  - name: small
    replicas: 1..2
    scaling:
      metric: rps
      target: 5
    resources:
      gpu: 24GB
    spot_policy: spot
    commands:
      - vllm serve small
`,
  'DevEnvironmentConfiguration with the default image': `type: dev-environment
name: plain
python: "3.12"
ide: cursor
`,
  GCPVolumeConfiguration: `type: volume
name: data
backend: gcp
region: europe-west4
availability_zone: europe-west4-a
size: 500GB
tags:
  team: nlp
`,
  RunpodVolumeConfiguration: `type: volume
name: data
backend: runpod
region: EU-SE-1
size: 100GB
`,
  'KubernetesVolumeConfiguration registered': `type: volume
name: claim
backend: kubernetes
claim_name: existing-claim
`,
};

export const PROFILES = `profiles:
  - name: spot
    default: true
    backends: [aws]
    regions: [eu-west-1]
    spot_policy: spot
    max_price: 1.5
    max_duration: 6h
    retry:
      on_events: [interruption]
      duration: 3h
    fleets: [cloud]
`;

export const SERVER_CONFIG = `projects:
  - name: main
    backends:
      - type: aws
        creds:
          type: access_key
          access_key: AKIAEXAMPLE
          secret_key: wJalrEXAMPLE
        regions: [eu-west-1]
      - type: kubernetes
        kubeconfig:
          data: "{apiVersion: v1, kind: Config, contexts: [], clusters: [], users: []}"
        namespace: dstack
encryption:
  keys:
    - type: aes
      name: key1
      secret: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
default_permissions:
  allow_non_admins_create_projects: true
  allow_managers_manage_secrets: true
`;

/** Keys that the configurations above write in a shorter form, or leave out. */
export const SINGLE: Readonly<Record<string, unknown>> = {
  'PortMapping.local_port': 8080,
  'PortMapping.container_port': 8000,
  'EnvSentinel.key': 'HF_TOKEN',
  'Range_int_.min': 1,
  'Range_int_.max': 8,
  'CPUSpec.arch': 'arm',
  'CPUSpec.count': '4..8',
  'Range_Memory_.min': '16GB',
  'Range_Memory_.max': '64GB',
  'DiskSpec.size': '200GB..',
  'RepoSpec.url': 'https://github.com/me/train.git',
  'RepoSpec.branch': 'main',
  'RepoSpec.hash': '1a2b3c4',
  'EntityReference.project': 'research',
  'EntityReference.name': 'lab',
  'InstanceNameSelector.name': 'lab-0',
  'InstanceHostnameSelector.hostname': '10.0.0.11',
  'FleetInstanceSelector.fleet': 'lab',
  'FleetInstanceSelector.instance': 0,
  'TGIChatModel.name': 'mistralai/Mistral-7B-Instruct-v0.3',
  'ProbeConfig.body': '{"ping": true}',
  'ACMGatewayCertificate.arn': 'arn:aws:acm:eu-west-1:123456789012:certificate/1a2b',
  'GCPCertificateManagerGatewayCertificate.name': 'services',
};
