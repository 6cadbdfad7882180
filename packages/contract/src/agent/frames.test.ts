import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AgentFrame,
  AgentInfo,
  encodeLogFrame,
  ImagePlan,
  type JobState,
  Malformed,
  PutJobAnswer,
  parseAgentFrame,
  parseLogFrame,
  parseMessage,
  parseServerFrame,
  type ServerFrame,
} from './index.ts';

const ID = '11111111-2222-4333-8444-555555555555';
const state: JobState = {
  ...{ id: ID, seq: 3, phase: 'exited', ssh_port: 2222, working_dir: '/w', username: 'root' },
  ...{ stop_stage: 'kill', log_end: 12, container_ip: '172.17.0.2' },
  exit: { status: 137, reason: 'executor_error', message: 'killed\n\tby hand' },
};
const info: AgentInfo = {
  ...{ version: '0.1.0', features: ['server-access'], protocol: { min: 1, max: 1 } },
  ...{ server_id: null, executor: 'docker', time: 5 },
  host: {
    ...{ hostname: 'h', arch: 'x86', cpus: 2, memory_bytes: 1, disk_bytes: 0 },
    ...{ addresses: ['10.0.0.1/24'], gpu_driver: null, ssh_host_key: 'ssh-ed25519 AAAA' },
    gpus: [{ vendor: 'nvidia', name: 'H100', memory_mib: 81_559, id: 'GPU-1' }],
  },
};
const progress = {
  ...{ downloaded_bytes: 1, extracted_bytes: 0, total_bytes: 2, is_total_bytes_final: false },
};
const metrics = {
  ...{ timestamp_micro: 1, cpu_usage_micro: 2, memory_usage_bytes: 3 },
  ...{ memory_working_set_bytes: 4, gpus: [{ memory_usage_bytes: 5, util_percent: 6.5 }] },
};

const AGENT: readonly AgentFrame[] = [
  { type: 'hello', info },
  { type: 'sync', jobs: [state, { ...state, exit: null, ssh_port: null }], last: 7 },
  { type: 'state', n: 8, state },
  { type: 'pull', id: ID, progress },
  { type: 'metrics', id: ID, metrics },
  { type: 'activity', id: ID, no_connections_secs: 5 },
  { type: 'gap', id: ID, offset: 6 },
  {
    type: 'health',
    time: 7,
    checks: [
      { name: 'gpu', status: 'failure', message: '1 of 2 GPUs is lost' },
      { name: 'disk', status: 'healthy', message: null },
    ],
  },
];
const SERVER: readonly ServerFrame[] = [
  { type: 'resume', server_id: 's', logs: { [ID]: 5 } },
  { type: 'ack' },
  { type: 'ack', states: 4, logs: { [ID]: 5 } },
  { type: 'credit', id: ID, bytes: 5 },
  { type: 'rewind', id: ID, offset: 5 },
];

describe('what agents and servers send', () => {
  it.each(AGENT)('is read as it was written: $type', (frame) => {
    expect(parseAgentFrame(JSON.stringify(frame))).toEqual(frame);
  });

  it.each(SERVER)('is read as it was written: $type of a server', (frame) => {
    expect(parseServerFrame(JSON.stringify(frame))).toEqual(frame);
  });

  it('may be newer: types are left alone, keys left out, missing ones null', () => {
    expect(parseAgentFrame('{"type":"weather","rain":true}')).toBeNull();
    expect(parseServerFrame('{"type":"weather"}')).toBeNull();
    const { ssh_host_key: _, ...host } = info.host;
    const newer = { ...info, host: { ...host, color: 'red' }, mood: 'good' };
    expect(parseMessage(AgentInfo, newer)).toEqual({
      ...info,
      host: { ...info.host, ssh_host_key: null },
    });
    const { features: __, ...older } = info;
    expect(parseMessage(AgentInfo, older).features).toEqual([]);
    const answer = { state, missing: { archives: ['a'], code: true } };
    expect(parseMessage(PutJobAnswer, { ...answer, added_later: 1 })).toEqual(answer);
  });

  it('has its texts for people cut and cleaned', () => {
    const message = `\u001b[31mred\0\u009b${'x'.repeat(5000)}`;
    const frame = parseAgentFrame(
      JSON.stringify({
        type: 'state',
        n: 1,
        state: { ...state, exit: { ...state.exit, message } },
      }),
    );
    const shown = frame?.type === 'state' ? frame.state.exit?.message : null;
    expect(shown).toMatch(/^ \[31mred {2}x+$/);
    expect(shown).toHaveLength(4096);
  });
});

it.each([
  ['', 'the message is not JSON'],
  ['[]', 'the message is not an object'],
  ['null', 'the message is not an object'],
  ['{}', 'type is not a string'],
  ['{"type":"__proto__"}', null],
  ['{"type":"constructor"}', null],
  ['{"type":"gap","id":"../../etc","offset":1}', 'id is not a UUID'],
  [`{"type":"gap","id":"${ID}","offset":-1}`, /^offset is not a whole number/],
  [`{"type":"gap","id":"${ID}","offset":1e300}`, /^offset is not a whole number/],
  ['{"type":"sync","jobs":{"length":5},"last":1}', 'jobs is not a list'],
  ['{"type":"sync","jobs":[null],"last":1}', 'jobs[0] is not an object'],
  [
    '{"type":"health","time":1,"checks":[{"name":"gpu","status":"broken"}]}',
    /^checks\[0\].status is not one of/,
  ],
  [
    JSON.stringify({ type: 'health', time: 1, checks: Array(33).fill({}) }),
    'checks has more than 32 elements',
  ],
  [
    JSON.stringify({ type: 'state', n: 1, state: { ...state, phase: 'gone' } }),
    /^state.phase is not one of/,
  ],
  [
    JSON.stringify({ type: 'state', n: 1, state: { ...state, ssh_port: 70_000 } }),
    /^state.ssh_port/,
  ],
  [
    JSON.stringify({ type: 'state', n: 1, state: { ...state, username: 'a\nb' } }),
    /^state.username/,
  ],
])('%s is refused by its place', (message, problem) => {
  if (problem === null) expect(parseAgentFrame(message)).toBeNull();
  else expect(() => parseAgentFrame(message)).toThrow(problem);
});

it.each([
  ['list', { type: 'sync', jobs: Array(10_000).fill({}), last: 1 }, 'jobs[0].id is not a UUID'],
  ['longer list', { type: 'sync', jobs: Array(1_000_000).fill(0), last: 1 }, /^jobs has more than/],
  [
    'map',
    { type: 'resume', server_id: 's', logs: mapOfBad(10_000) },
    'a key of logs is not a UUID',
  ],
  [
    'longer map',
    { type: 'resume', server_id: 's', logs: mapOfBad(200_000) },
    /^logs has more than/,
  ],
])('a %s of problems is refused by the first of them', (_, frame, problem) => {
  const parse = frame.type === 'sync' ? parseAgentFrame : parseServerFrame;
  expect(() => parse(JSON.stringify(frame))).toThrow(problem);
});

it('reads nothing after the first problem', () => {
  let later = 0;
  const next = {
    get image() {
      later += 1;
      return 'busybox';
    },
  };
  const policy = { disk_high_percent: null, unused_for: null };
  expect(() => parseMessage(ImagePlan, { wanted: [{ image: 1 }, next], policy })).toThrow(
    'wanted[0].image is not a string',
  );
  expect(later).toBe(0);
});

function mapOfBad(length: number): object {
  return Object.fromEntries(Array.from({ length }, (_, n) => [`key-${n}`, -1]));
}

describe('a piece of a log', () => {
  const frame = { id: ID, offset: 5, time: 6, bytes: Buffer.from('text') };

  it('is read as it was written', () => {
    const { id, offset, time, bytes } = parseLogFrame(encodeLogFrame(frame));
    expect({ id, offset, time, bytes: Buffer.from(bytes) }).toEqual(frame);
  });

  it('is refused with another header', () => {
    const bytes = encodeLogFrame(frame);
    const changed = (at: number, byte: number) => bytes.with(at, byte);
    for (const bad of [bytes.subarray(0, 51), changed(0, 0), changed(36, 255), changed(44, 255)]) {
      expect(() => parseLogFrame(bad)).toThrow(Malformed);
    }
  });
});

it('any message is parsed or refused with `Malformed`', () => {
  const known = fc.constantFrom<object>(...AGENT, ...SERVER);
  const damaged = fc.tuple(known, fc.string(), fc.jsonValue()).map(([frame, key, value]) => {
    const text = JSON.stringify(frame);
    const keys = [...text.matchAll(/"(\w+)":/g)].map(([, name]) => name ?? '');
    const at = keys[key.length % keys.length] ?? '';
    return text.replace(
      new RegExp(`"${at}":("[^"]*"|[^,}\\]]*)`),
      () => `"${at}":${JSON.stringify(value)}`,
    );
  });
  fc.assert(
    fc.property(fc.oneof(damaged, fc.json(), fc.string()), (message) => {
      for (const parse of [parseAgentFrame, parseServerFrame]) {
        try {
          parse(message);
        } catch (error) {
          expect(error).toBeInstanceOf(Malformed);
        }
      }
    }),
    { numRuns: 2000 },
  );
});
