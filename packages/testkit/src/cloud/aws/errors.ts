import { Refusal, type RefusalKind } from '../refusal.ts';
import { type Ec2Answer, ec2Error } from './ec2-xml.ts';

/** Codes of EC2's documentation. Missing capacity is an error of the server there. */
const ERRORS: Readonly<Record<RefusalKind, readonly [number, string, string]>> = {
  no_capacity: [
    500,
    'InsufficientInstanceCapacity',
    'We currently do not have sufficient capacity in the Availability Zone you requested.',
  ],
  quota: [
    400,
    'VcpuLimitExceeded',
    'You have requested more vCPU capacity than your current vCPU limit allows.',
  ],
  credentials: [401, 'AuthFailure', 'AWS was not able to validate the provided access credentials'],
  permission: [403, 'UnauthorizedOperation', 'You are not authorized to perform this operation.'],
  balance: [400, 'PendingVerification', 'Your account is currently being verified.'],
  too_many_calls: [503, 'RequestLimitExceeded', 'Request limit exceeded.'],
  provider_error: [500, 'InternalError', 'An internal error has occurred'],
  not_found: [400, 'InvalidInstanceID.NotFound', 'The instance ID does not exist'],
  invalid: [400, 'InvalidParameterValue', 'The value is not valid'],
  conflict: [400, 'InvalidParameterCombination', 'The request conflicts with another one'],
  not_now: [400, 'IncorrectInstanceState', 'The instance is not in a state for this request'],
};

export function refusedByEc2(error: unknown): Ec2Answer {
  if (!(error instanceof Refusal)) throw error;
  return ec2Error(...ERRORS[error.kind]);
}
