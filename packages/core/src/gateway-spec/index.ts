export { diffGatewayConfigurations, type GatewayDiff } from './diff.ts';
export { type PreparedGateway, prepareGateway } from './prepare.ts';
