/** The kind of a router's worker: its engine, how it is reached, and its part of the work. */

import { fromBinary, toJson } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { StructSchema } from '@bufbuild/protobuf/wkt';
import * as z from 'zod';
import { grpcCall } from './grpc-call.ts';
import { type OpenApp, requestOver } from './request-over.ts';

export interface WorkerKind {
  readonly connection: 'http' | 'grpc';
  readonly runtime: 'sglang' | 'vllm';
  /** `regular`: it does both. */
  readonly role: 'prefill' | 'decode' | 'regular';
  /** Where decoding workers fetch the cache of a prefilling one; null = not stated. */
  readonly bootstrapPort: number | null;
  /** The name that vLLM gives to the connector; null = not stated. */
  readonly kvConnector: string | null;
  readonly kvRole: string | null;
}

/** Most bytes of an answer about the engine. */
const LIMIT = 256 * 1024;

/** A worker that does not answer within this time (ms) is asked again later. */
const PATIENCE_MS = 30_000;

/**
 * Asks an app in all ways that engines answer, at the same time. Rejects if none succeeds, as while
 * the engine loads its model.
 */
export async function workerKind(open: OpenApp, closing: AbortSignal): Promise<WorkerKind> {
  const signal = AbortSignal.any([closing, AbortSignal.timeout(PATIENCE_MS)]);
  return await Promise.any([
    sglangByHttp(open, signal),
    sglangByGrpc(open, signal),
    vllmByGrpc(open, signal),
  ]);
}

const Models = z.object({ data: z.array(z.object({ owned_by: z.string() })).min(1) });

const SglangArguments = z.object({
  disaggregation_mode: z.string().nullish(),
  disaggregation_bootstrap_port: z.int().min(1).max(65_535).nullish(),
});

const SglangServer = SglangArguments.extend({ status: z.literal('ready') });

async function sglangByHttp(open: OpenApp, signal: AbortSignal): Promise<WorkerKind> {
  const ask = (path: string) => requestOver(open, { path, limit: LIMIT, signal });
  const models = Models.parse((await ask('/v1/models')).body);
  if (models.data[0]?.owned_by !== 'sglang') throw new Error('the engine is not SGLang');
  const known = await ask('/server_info');
  const answer = known.status === 404 ? await ask('/get_server_info') : known;
  if (answer.status !== 200) throw new Error(`status ${answer.status} for /server_info`);
  return sglang('http', SglangServer.parse(answer.body));
}

/** Numbers of fields in `GetServerInfoResponse` of `sglang_scheduler.proto` and `vllm_engine.proto`. */
const SGLANG_ARGUMENTS = 1;
const VLLM = { kvConnector: 6, kvRole: 7 } as const;

async function sglangByGrpc(open: OpenApp, signal: AbortSignal): Promise<WorkerKind> {
  const path = '/sglang.grpc.scheduler.SglangScheduler/GetServerInfo';
  const [bytes] = fieldsOf(await grpcCall(open, path, signal), [SGLANG_ARGUMENTS]);
  const given = bytes === undefined ? {} : toJson(StructSchema, fromBinary(StructSchema, bytes));
  return sglang('grpc', SglangArguments.parse(given));
}

async function vllmByGrpc(open: OpenApp, signal: AbortSignal): Promise<WorkerKind> {
  const path = '/vllm.grpc.engine.VllmEngine/GetServerInfo';
  const answer = await grpcCall(open, path, signal);
  const [kvConnector, kvRole] = fieldsOf(answer, [VLLM.kvConnector, VLLM.kvRole])
    .map((bytes) => bytes && Buffer.from(bytes).toString())
    .map((text) => text || null);
  const roles: Readonly<Record<string, WorkerKind['role']>> = {
    kv_producer: 'prefill',
    kv_consumer: 'decode',
  };
  return {
    ...{ connection: 'grpc', runtime: 'vllm', bootstrapPort: null },
    ...{ role: roles[kvRole ?? ''] ?? 'regular', kvConnector: kvConnector ?? null },
    kvRole: kvRole ?? null,
  };
}

function sglang(
  connection: WorkerKind['connection'],
  {
    disaggregation_mode: mode,
    disaggregation_bootstrap_port: port,
  }: z.infer<typeof SglangArguments>,
): WorkerKind {
  const role = mode === 'prefill' || mode === 'decode' ? mode : 'regular';
  return {
    ...{ connection, runtime: 'sglang', role, kvConnector: null, kvRole: null },
    bootstrapPort: role === 'prefill' ? (port ?? null) : null,
  };
}

/** The contents of fields whose content has a length, by number; undefined if the field is absent. */
function fieldsOf(message: Uint8Array, wanted: readonly number[]): (Uint8Array | undefined)[] {
  const LENGTH_DELIMITED = 2;
  const reader = new BinaryReader(message);
  const found = new Map<number, Uint8Array>();
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === LENGTH_DELIMITED && wanted.includes(field)) found.set(field, reader.bytes());
    else reader.skip(type, field);
  }
  return wanted.map((field) => found.get(field));
}
