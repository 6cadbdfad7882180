import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { StructSchema } from '@bufbuild/protobuf/wkt';
import { afterEach, expect, it } from 'vitest';
import { fakeGrpc, fakeSglang, type Listening, openLocal } from './testing.ts';
import { workerKind } from './worker-kind.ts';

const SGLANG = '/sglang.grpc.scheduler.SglangScheduler/GetServerInfo';
const VLLM = '/vllm.grpc.engine.VllmEngine/GetServerInfo';

let server: Listening | null = null;
afterEach(() => server?.close());

async function kindAt(listening: Listening) {
  server = listening;
  return await workerKind(() => openLocal(listening.port), AbortSignal.timeout(10_000));
}

/** Encodes arguments like SGLang. */
function sglangInfo(mode: string, port: number): Buffer {
  const string = (value: string) => ({ kind: { case: 'stringValue' as const, value } });
  const number = (value: number) => ({ kind: { case: 'numberValue' as const, value } });
  const fields = {
    disaggregation_mode: string(mode),
    disaggregation_bootstrap_port: number(port),
  };
  const struct = toBinary(StructSchema, create(StructSchema, { fields }));
  return Buffer.from(new BinaryWriter().tag(1, 2).bytes(struct).tag(3, 0).int32(2).finish());
}

function vllmInfo(connector: string, role: string): Buffer {
  const writer = new BinaryWriter().tag(1, 0).uint32(3).tag(5, 2).string('vllm-grpc');
  return Buffer.from(writer.tag(6, 2).string(connector).tag(7, 2).string(role).finish());
}

const sglang = { runtime: 'sglang', kvConnector: null, kvRole: null };

it.each([
  ['prefill', { role: 'prefill', bootstrapPort: 8998 }],
  ['decode', { role: 'decode', bootstrapPort: null }],
  ['null', { role: 'regular', bootstrapPort: null }],
])('SGLang over HTTP in the mode %s', async (disaggregation_mode, expected) => {
  const info = { status: 'ready', disaggregation_mode, disaggregation_bootstrap_port: 8998 };
  const kind = await kindAt(await fakeSglang(info));
  expect(kind).toEqual({ ...sglang, connection: 'http', ...expected });
});

it('an older SGLang answers at its older path', async () => {
  const kind = await kindAt(await fakeSglang({ status: 'ready' }, '/get_server_info'));
  expect(kind).toMatchObject({ connection: 'http', role: 'regular' });
});

it('SGLang over gRPC', async () => {
  const kind = await kindAt(await fakeGrpc({ [SGLANG]: sglangInfo('prefill', 9000) }));
  const expected = { connection: 'grpc', role: 'prefill', bootstrapPort: 9000 };
  expect(kind).toEqual({ ...sglang, ...expected });
});

it.each([
  ['kv_producer', 'prefill'],
  ['kv_consumer', 'decode'],
  ['kv_both', 'regular'],
])('vLLM over gRPC with the role %s', async (kvRole, role) => {
  const kind = await kindAt(await fakeGrpc({ [VLLM]: vllmInfo('NixlConnector', kvRole) }));
  const kv = { kvConnector: 'NixlConnector', kvRole };
  expect(kind).toEqual({ connection: 'grpc', runtime: 'vllm', role, bootstrapPort: null, ...kv });
});

it.each<[string, () => Promise<Listening>]>([
  ['an engine that loads its model', () => fakeSglang({ status: 'starting' })],
  ['a server of gRPC without engine', () => fakeGrpc({})],
  ['an answer that cannot be read', () => fakeGrpc({ [SGLANG]: Buffer.from('ffffff', 'hex') })],
])('%s is no worker', async (_what, start) => {
  await expect(kindAt(await start())).rejects.toThrow();
});
