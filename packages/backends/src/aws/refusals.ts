/** The meaning of AWS's error codes; one table for all of its services. */
import type { BackendError } from '../base/errors.ts';
import type { RefusalRule } from '../base/rest-vm/refusals.ts';

const codes = (means: RefusalRule['means'], ...names: readonly string[]): readonly RefusalRule[] =>
  names.map((code) => ({ code, means }));

export const AWS_REFUSALS: readonly RefusalRule[] = [
  ...codes(
    'no-capacity',
    // With HTTP 500, although the answer is certain.
    'InsufficientInstanceCapacity',
    'InsufficientHostCapacity',
    'InsufficientCapacity',
    'InsufficientReservedInstanceCapacity',
    'InsufficientFreeAddressesInSubnet',
    'ReservationCapacityExceeded',
    'SpotMaxPriceTooLow',
    'UnfulfillableCapacity',
    // The type is not sold in this zone.
    'Unsupported',
  ),
  ...codes(
    'quota',
    'VcpuLimitExceeded',
    'InstanceLimitExceeded',
    'MaxSpotInstanceCountExceeded',
    'AddressLimitExceeded',
    'VolumeLimitExceeded',
    'MaxIOPSLimitExceeded',
    'TooManyLoadBalancers',
    'TooManyTargetGroups',
  ),
  ...codes(
    'credentials',
    'AuthFailure',
    'InvalidClientTokenId',
    'InvalidAccessKeyId',
    'SignatureDoesNotMatch',
    'InvalidSignatureException',
    'UnrecognizedClientException',
    'ExpiredToken',
    'ExpiredTokenException',
    'IncompleteSignature',
    'MissingAuthenticationToken',
  ),
  ...codes(
    'forbidden',
    'UnauthorizedOperation',
    'AccessDenied',
    'AccessDeniedException',
    // About the account: it is not verified, or the region is not switched on.
    'OptInRequired',
    'PendingVerification',
    'Blocked',
  ),
  ...codes(
    'busy',
    'RequestLimitExceeded',
    'Throttling',
    'ThrottlingException',
    'TooManyRequestsException',
  ),
  ...codes(
    'not-now',
    'IncorrectInstanceState',
    'IncorrectState',
    'DependencyViolation',
    // A machine that does not run yet gets no address, and an address in use is not released.
    'InvalidInstanceID',
    'InvalidIPAddress.InUse',
    // A target group whose listeners are still being deleted.
    'ResourceInUse',
  ),
  ...codes(
    'missing',
    'InvalidInstanceID.NotFound',
    'InvalidGroup.NotFound',
    'InvalidSecurityGroupID.NotFound',
    'InvalidVolume.NotFound',
    'InvalidAllocationID.NotFound',
    'InvalidAddressID.NotFound',
    'InvalidPlacementGroup.Unknown',
    'InvalidVpcID.NotFound',
    'InvalidAMIID.NotFound',
    'InvalidSubnetID.NotFound',
    'InvalidKeyPair.NotFound',
    'LoadBalancerNotFound',
    'TargetGroupNotFound',
    'ListenerNotFound',
    // A machine that a target group does not have, or has no more.
    'InvalidTarget',
    'NoSuchEntity',
    'NoSuchEntityException',
    'NoSuchResourceException',
  ),
];

/** The account is called too often: a call that only looks may be made again. */
export const TOO_MANY_CALLS: ReadonlySet<string> = new Set([
  'RequestLimitExceeded',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
]);

/** The credentials lack a right. */
const DENIED: ReadonlySet<string> = new Set([
  'UnauthorizedOperation',
  'AccessDenied',
  'AccessDeniedException',
]);

/** A rehearsal that would have succeeded. */
export const REHEARSED = 'DryRunOperation';

const SKEWED_CODES: ReadonlySet<string> = new Set([
  'RequestTimeTooSkewed',
  'RequestExpired',
  'RequestInTheFuture',
]);
const SKEWED_TEXT = /signature (expired|not yet current)/i;

/** Whether the clock of this computer is what AWS objects to. */
export function isAboutClock(code: string | null, text: string): boolean {
  return SKEWED_CODES.has(code ?? '') || SKEWED_TEXT.test(text);
}

/** Codes of errors, for the few that a caller must distinguish. */
const codeOf = new WeakMap<object, string>();

export function withCode<E extends BackendError>(error: E, code: string | null): E {
  if (code !== null) codeOf.set(error, code);
  return error;
}

/** AWS's own code; null = the error is no refusal of AWS. */
export function awsCode(error: unknown): string | null {
  return typeof error === 'object' && error !== null ? (codeOf.get(error) ?? null) : null;
}

/** Whether AWS has refused it because the credentials lack a right. */
export function isDenied(error: unknown): boolean {
  return DENIED.has(awsCode(error) ?? '');
}
