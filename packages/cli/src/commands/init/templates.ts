/** Configurations that `dstack init --template` writes. */
export interface Template {
  readonly summary: string;
  /** Name of the file. */
  readonly file: string;
  readonly text: string;
}

export const INIT_TEMPLATES: Readonly<Record<string, Template>> = {
  hello: {
    summary: 'a task that prints a line',
    file: 'hello.dstack.yml',
    text: `type: task
name: hello

commands:
  - echo "Hello from $DSTACK_RUN_NAME on $(uname -n)"

# Any machine will do. For a GPU: \`gpu: 24GB\`, \`gpu: H100:2\`.
resources:
  cpu: 1..
  memory: 0.5GB..
  disk: 1GB..
  gpu: 0
`,
  },
  dev: {
    summary: 'a machine to work on, from an editor or over SSH',
    file: 'dev.dstack.yml',
    text: `type: dev-environment
name: dev

# vscode, cursor, windsurf or zed; without it: dstack ssh dev
ide: vscode

# The code of this folder's repository:
# repos: [.]

# Stops itself when no user has been connected for so long.
inactivity_duration: 2h

resources:
  cpu: 1..
  memory: 0.5GB..
  disk: 1GB..
  gpu: 0..
`,
  },
  service: {
    summary: 'an HTTP service with a probe',
    file: 'service.dstack.yml',
    text: `type: service
name: web

# Any program that serves HTTP.
commands:
  - python3 -m http.server 8000 --bind $DSTACK_LISTEN_ADDRESS
port: 8000

# A replica receives requests once its probe succeeds.
probes:
  - type: http
    url: /
    interval: 5s

# Anyone may call it; with \`true\` only users of the project.
auth: true

resources:
  cpu: 1..
  memory: 0.5GB..
  disk: 1GB..
  gpu: 0..
`,
  },
  train: {
    summary: 'a training task with its code, retries and a limit',
    file: 'train.dstack.yml',
    text: `type: task
name: train

# Files beside this one, for example: files: [train.py, requirements.txt]
commands:
  - echo "replace this line by your program, for example:" "python train.py"

# Secrets are stored by: dstack secret set hf_token
# env:
#   HF_TOKEN: \${{ secrets.hf_token }}

# Tries again if the machine is taken away or none is free.
retry:
  on_events: [no-capacity, interruption]
  duration: 1d
max_duration: 12h

resources:
  cpu: 1..
  memory: 0.5GB..
  disk: 1GB..
  gpu: 0..
`,
  },
  cluster: {
    summary: 'a task on two machines that know each other',
    file: 'cluster.dstack.yml',
    text: `type: task
name: cluster

# Needs a fleet whose machines reach each other: \`placement: cluster\`.
nodes: 2

# With PyTorch: torchrun --nnodes $DSTACK_NODES_NUM --node-rank $DSTACK_NODE_RANK
#   --master-addr $DSTACK_MASTER_NODE_IP --master-port 12345 train.py
commands:
  - echo "node $DSTACK_NODE_RANK of $DSTACK_NODES_NUM, the first is $DSTACK_MASTER_NODE_IP"

resources:
  cpu: 1..
  memory: 0.5GB..
  disk: 1GB..
  gpu: 0..
`,
  },
  fleet: {
    summary: 'instances that runs share, created as runs need them',
    file: 'fleet.dstack.yml',
    text: `type: fleet
name: default

# Up to two, none while no run needs one. For servers of your own, in place of this line:
# ssh_config:
#   user: ubuntu
#   identity_file: ~/.ssh/id_rsa
#   hosts: [192.168.1.10]
nodes: 0..2

# What the machines must have at least:
# resources:
#   gpu: 24GB
`,
  },
  volume: {
    summary: 'a folder whose data outlive runs',
    file: 'volume.dstack.yml',
    text: `type: volume
name: data

# A folder of the server's machine. Of an SSH fleet: \`region: FLEET\`; of a cloud: its name and region.
backend: remote
region: local
size: 10GB

# A run mounts it by: volumes: ["data:/data"]
`,
  },
  gateway: {
    summary: 'a public address for services',
    file: 'gateway.dstack.yml',
    text: `type: gateway
name: public

# A host of this SSH fleet; its DNS name *.DOMAIN must lead there.
backend: remote
region: my-fleet
domain: example.com
`,
  },
};
