/** A configuration of each kind of run with nearly all of its keys. */
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

export const RUNS: Readonly<Record<string, string>> = {
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
};
