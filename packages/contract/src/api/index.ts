/** Requests of the API, the endpoint table, errors, and adaptations for older clients. */
export * from '../errors/index.ts';
export * from './endpoint.ts';
export * from './endpoints.ts';
export * from './older-clients.ts';
export { openApiDocument } from './openapi.ts';
export * from './requests-access.ts';
export * from './requests-capacity.ts';
export * from './requests-ours.ts';
export * from './requests-work.ts';
export * from './streams.ts';
export { type UnfitPart, unfitParts } from './unfit-parts.ts';
export * from './validation.ts';
export * from './validation-detail.ts';
export * from './version-check.ts';
