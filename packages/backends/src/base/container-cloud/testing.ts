/** The way to containers that reach a server at `dstack.example`, for tests. */
import type { AgentDialIns } from '../kind.ts';
import type { VmWay } from '../rest-vm/vm-way.ts';
import { dialWay } from './dial-way.ts';

const NO_DIAL_INS: AgentDialIns = { take: async () => null, watch: () => () => {} };

export const DOWNLOAD = { path: '/api/agents/program/x64-0', sha256: 'f'.repeat(64) };

/** By default no agent connects. */
export function exampleWay(title: string, dialIns: AgentDialIns = NO_DIAL_INS): VmWay {
  return dialWay({
    ...{ title, secret: 'secret', download: async () => DOWNLOAD },
    ...{ dialUrl: 'wss://dstack.example', fetchUrl: 'https://dstack.example' },
    dialIns,
  });
}
