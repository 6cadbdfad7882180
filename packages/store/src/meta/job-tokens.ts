import { createHmac } from 'node:crypto';
import { JOB_TOKEN_PREFIX } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';
import { sameToken } from '../base/token-hash.ts';
import type { StoreContext } from '../context/context.ts';
import { installationKey } from './installation-key.ts';
import type { JobTokens, Meta } from './types.ts';

const KEY = 'job_token_key';

const FORM = new RegExp(
  `^${JOB_TOKEN_PREFIX}([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})_[\\w-]{43}$`,
);

/**
 * A job's token is its id, signed with a key of the installation. It is the same at each call, so a
 * repeated start does not change it and nothing has to be stored. Callers check whether the job still
 * runs.
 */
export function createJobTokens(
  context: StoreContext,
  meta: Pick<Meta, 'get' | 'setOnce'>,
): JobTokens {
  const key = installationKey(context, meta, KEY);

  async function of(jobId: Id): Promise<string> {
    const signature = createHmac('sha256', await key()).update(`job ${jobId}`);
    return `${JOB_TOKEN_PREFIX}${jobId.replaceAll('-', '')}_${signature.digest('base64url')}`;
  }

  return {
    of,
    async jobOf(token) {
      const parts = FORM.exec(token)?.slice(1);
      if (!parts) return null;
      const jobId = parts.join('-');
      return sameToken(await of(jobId), token) ? jobId : null;
    },
  };
}
