/** The proxy as a library: the program of gateways serves services with the same code. */

export { joinConnections } from '@dstack/ssh';
export { dnsProblem } from '../gateways/dns-check.ts';
export { AgentClient, AgentUnreachable } from '../hosts/agent-client.ts';
export { TopLevelScan } from '../http/proxy/models/top-level-scan.ts';
export { answerMeter, streamMeter, type UsageMeter } from '../http/proxy/models/usage-meter.ts';
export { newEd25519Pair } from '../keys/ed25519-pair.ts';
export { LineStream } from '../peers/line-stream.ts';
export type { Logger } from '../process/logging.ts';
export { askAny, inOrderOfTrial } from './ask-any.ts';
export type { Admit, ClientConnection, ServiceCaller } from './callers.ts';
export { rawOf } from './grpc/call-headers.ts';
export { refuseCall } from './grpc/grpc-status.ts';
export { OPEN_TO_ORIGINS, PREFLIGHT_ANSWER } from './headers.ts';
export { openReplica } from './open-replica.ts';
export { OwnTokens } from './own-tokens.ts';
export type { CountedService } from './proxy-figures.ts';
export { RateBuckets } from './rate-buckets.ts';
export { MAX_HEADERS } from './raw-headers.ts';
export { ProxyRefusal, refusalBody } from './refusal.ts';
export type { OpenPort } from './replica-connections.ts';
export { ReplicaTunnels, type TunnelRoute } from './replica-tunnels.ts';
export { ServiceProxy } from './service-proxy.ts';
export type { ServiceProxyOptions } from './service-proxy-options.ts';
export { type RawStats, sumOfStats } from './service-stats.ts';
export type { ServiceTarget } from './service-target.ts';
export { refuseUpgrade } from './upgrade.ts';
