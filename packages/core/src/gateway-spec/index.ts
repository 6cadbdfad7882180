export { diffGatewayConfigurations, type GatewayDiff } from './diff.ts';
export { fixedDomain, isWithinDomain } from './domain.ts';
export { type PreparedGateway, prepareGateway } from './prepare.ts';
