import type {
  AgentInfo,
  HostFacts,
  HostGpu,
  JobExit,
  JobState,
  PutJobAnswer,
  VolumeRemoval,
  VolumeState,
} from './commands.ts';
import type { AgentFrame, JobMetrics, PullProgress, ServerFrame } from './frames.ts';
import { decodeLogFrame, type LogFrame } from './log-frame.ts';
import {
  amount,
  byType,
  flag,
  line,
  list,
  Malformed,
  mapOf,
  nullable,
  object,
  oneOf,
  type Read,
  rounded,
  uuid,
  whole,
  words,
} from './read.ts';

const MAX_PORT = 65_535;
const MAX_GPUS = 256;
/** Jobs in one frame; no host runs that many. */
const MAX_JOBS = 100_000;

const readExit: Read<JobExit> = object<JobExit>({
  status: nullable(whole(2 ** 31 - 1)),
  reason: nullable(line(100)),
  message: nullable(words()),
});

const readState: Read<JobState> = object<JobState>({
  id: uuid,
  seq: whole(),
  phase: oneOf('accepted', 'preparing', 'pulling', 'held', 'starting', 'running', 'exited'),
  ssh_port: nullable(whole(MAX_PORT, 1)),
  working_dir: nullable(line()),
  username: nullable(line(256)),
  stop_stage: nullable(oneOf('interrupt', 'terminate', 'kill')),
  exit: nullable(readExit),
  log_end: whole(),
  container_ip: nullable(line(64)),
});

const readGpu: Read<HostGpu> = object<HostGpu>({
  vendor: oneOf('nvidia', 'amd', 'intel', 'tenstorrent'),
  name: line(256),
  memory_mib: amount,
  id: line(256),
});

const readFacts: Read<HostFacts> = object<HostFacts>({
  hostname: line(256),
  arch: oneOf('x86', 'arm'),
  cpus: amount,
  memory_bytes: amount,
  disk_bytes: amount,
  addresses: list(line(64), 1000),
  gpus: list(readGpu, MAX_GPUS),
  gpu_driver: nullable(line(256)),
  ssh_host_key: nullable(line()),
});

const readInfo: Read<AgentInfo> = object<AgentInfo>({
  version: line(100),
  features: (value, path) => nullable(list(line(100), 100))(value, path) ?? [],
  protocol: object({ min: whole(), max: whole() }),
  server_id: nullable(line(100)),
  executor: oneOf('docker', 'process'),
  host: readFacts,
});

const readPull: Read<PullProgress> = object<PullProgress>({
  downloaded_bytes: rounded,
  extracted_bytes: rounded,
  total_bytes: rounded,
  is_total_bytes_final: flag,
});

const readMetrics: Read<JobMetrics> = object<JobMetrics>({
  timestamp_micro: rounded,
  cpu_usage_micro: rounded,
  memory_usage_bytes: rounded,
  memory_working_set_bytes: rounded,
  gpus: list(object({ memory_usage_bytes: rounded, util_percent: amount }), MAX_GPUS),
});

const readAgentFrame = byType<AgentFrame>({
  hello: object({ info: readInfo }),
  sync: object({ jobs: list(readState, MAX_JOBS), last: whole() }),
  state: object({ n: whole(), state: readState }),
  pull: object({ id: uuid, progress: readPull }),
  metrics: object({ id: uuid, metrics: readMetrics }),
  activity: object({ id: uuid, no_connections_secs: rounded }),
  gap: object({ id: uuid, offset: whole() }),
  tunnel: object({ id: uuid, tunnel: uuid }),
});

const lengths = mapOf(uuid, whole(), MAX_JOBS);

const readServerFrame = byType<ServerFrame>({
  resume: object({ server_id: line(100), logs: lengths }),
  ack: (value, path) => {
    const { states, logs } = object({ states: nullable(whole()), logs: nullable(lengths) })(
      value,
      path,
    );
    return { ...(states === null ? {} : { states }), ...(logs === null ? {} : { logs }) };
  },
  credit: object({ id: uuid, bytes: whole() }),
  rewind: object({ id: uuid, offset: whole() }),
});

/** Reads a frame of an agent; null for a type that only newer agents know. Throws `Malformed`. */
export function parseAgentFrame(message: string): AgentFrame | null {
  return readAgentFrame(jsonOf(message), '');
}

/** Reads a frame of a server; null for a type that only newer servers know. Throws `Malformed`. */
export function parseServerFrame(message: string): ServerFrame | null {
  return readServerFrame(jsonOf(message), '');
}

/** Throws `Malformed`. */
export function parseLogFrame(message: Uint8Array): LogFrame {
  try {
    const frame = decodeLogFrame(message);
    uuid(frame.id, 'id');
    whole()(frame.offset, 'offset');
    whole()(frame.time, 'time');
    return frame;
  } catch (error) {
    throw error instanceof RangeError ? new Malformed('', 'is shorter than its header') : error;
  }
}

/** Answers of an agent to commands. Each throws `Malformed`. */
export const parseAgentInfo = (value: unknown): AgentInfo => readInfo(value, '');
export const parseJobState = (value: unknown): JobState => readState(value, '');
export const parsePutJobAnswer = (value: unknown): PutJobAnswer =>
  object<PutJobAnswer>({
    state: readState,
    missing: object({ archives: list(line(128)), code: flag }),
  })(value, '');

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Malformed('', 'is not JSON');
  }
}

/** Throws `Malformed`. */
export function parseVolumeState(value: unknown): VolumeState {
  return object<VolumeState>({ used_bytes: nullable(whole()) })(value, '');
}

/** Throws `Malformed`. */
export function parseVolumeRemoval(value: unknown): VolumeRemoval {
  return object<VolumeRemoval>({ deleted: flag })(value, '');
}
