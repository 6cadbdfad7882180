/**
 * A configuration of each kind with nearly all of its keys. References take the example of each key from
 * them; a test parses them.
 */
import { RUNS } from './run-examples.ts';

export const COMPLETE: Readonly<Record<string, string>> = {
  ...RUNS,
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
