export { agentToken } from './base/agent-token.ts';
export { isContainerAgent } from './base/container-cloud/agent-name.ts';
export {
  AllMissingError,
  BackendError,
  BusyError,
  CredentialsError,
  NoAnswerError,
  NoCapacityError,
  PreparingError,
  RefusedOrderError,
  SkipOfferError,
  TurnError,
} from './base/errors.ts';
export * from './base/gateway-port.ts';
export * from './base/group-port.ts';
export * from './base/instance-port.ts';
export type {
  AgentDialIns,
  AgentDownload,
  AgentDownloads,
  BackendHost,
  BackendKind,
  BackendOpener,
  ConfigOrigin,
  ConfiguredKind,
  DialInNames,
  OpenedBackend,
} from './base/kind.ts';
export * from './base/owner-tags.ts';
export * from './base/port.ts';
export type { AgentPrograms } from './base/programs.ts';
export { orderedProvisioningData } from './base/provisioning-data.ts';
export { ACCOUNT_FACTS, isOldFact } from './base/rest-vm/account-facts.ts';
export { secured } from './base/secured.ts';
export type { RemotePlace, SshOpener } from './base/ssh.ts';
export * from './base/volume-port.ts';
export { type Catalog, type CatalogItem, loadCatalog, parseCatalog } from './catalog/catalog.ts';
export { type CloudOptions, cloudBackend } from './cloud/cloud.ts';
export {
  type Directory,
  type DirectoryAgents,
  directoryOf,
  directoryVolumes,
} from './directories/directory-volumes.ts';
export { type GatewayHosts, hostGateways } from './host-gateways/host-gateways.ts';
export { BACKEND_KINDS, backendKind } from './kinds.ts';
export {
  freedomData,
  LOCAL_REGION,
  type LocalFreedoms,
  type LocalOptions,
  localBackend,
  localElsewhere,
  localInstanceName,
} from './local/local.ts';
export { inspectServerHost, type ServerHostFacts, serverHostFacts } from './local/server-host.ts';
export { type RemoteOptions, remoteBackend } from './remote/remote.ts';
