/** A backend could not carry out a call; the message is for people. */
export class BackendError extends Error {
  override name = 'BackendError';
}

/** The provider refuses the configured credentials of the backend. */
export class CredentialsError extends BackendError {
  override name = 'CredentialsError';
}

/**
 * The answer did not arrive: whether the request was carried out is unknown. Repeat it with the
 * same key.
 */
export class NoAnswerError extends BackendError {
  override name = 'NoAnswerError';
}

/** The provider lists none of several machines, which may be a mistake, or another account. */
export class AllMissingError extends NoAnswerError {
  override name = 'AllMissingError';
}

/** The provider carries out nothing for now: too many requests, or an error of its own. */
export class BusyError extends BackendError {
  override name = 'BusyError';
}

/** It cannot carry out the order yet, which is as it should be. Nothing was created; repeat the order. */
export class PreparingError extends BusyError {
  override name = 'PreparingError';
}

/** The limits of the provider on calls leave no room for this one now; it was not made. */
export class TurnError extends PreparingError {
  override name = 'TurnError';
}

/** The provider has no machine of this offer now. The next offer may be tried. */
export class NoCapacityError extends BackendError {
  override name = 'NoCapacityError';
}

/** The account may not have more machines of this kind. */
export class QuotaError extends NoCapacityError {
  override name = 'QuotaError';
}

/** This offer cannot serve this order, whatever the provider has; not counted as a try. */
export class SkipOfferError extends BackendError {
  override name = 'SkipOfferError';
}

/** No offer of this region can serve this order, for what the order itself requests. */
export class RefusedOrderError extends SkipOfferError {
  override name = 'RefusedOrderError';
}
