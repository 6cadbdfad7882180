import { type Backend, BackendError, NoAnswerError } from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import { type BackendName, capabilitiesOf } from '@dstack/core';

/**
 * A backend whose configuration cannot be used. Its instances may exist, so that nothing about them is
 * known until the configuration is repaired.
 */
export function unusableBackend(name: BackendName, error: unknown): Backend {
  const why = errorMessage(error);
  const refuse = async (): Promise<never> => {
    throw new BackendError(why, { cause: error });
  };
  const unknown = async (): Promise<never> => {
    throw new NoAnswerError(why, { cause: error });
  };
  return {
    ...{ name, capabilities: capabilitiesOf(name), signalsCapacity: false },
    offers: refuse,
    instances: { create: unknown, observe: unknown, release: unknown, list: unknown },
    ...{ volumes: null, groups: null },
    check: async () => [{ name: `${name}: configuration`, ok: false, problem: why }],
  };
}
