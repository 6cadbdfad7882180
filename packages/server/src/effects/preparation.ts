/** Shows what a backend does first beside the instances that wait for it. */
import type { OnPreparing } from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import { type Id, reportPreparation } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';

/** One write at a time: of texts that come meanwhile, only the last one is written. */
export function onPreparing(
  { store, log }: { readonly store: Pick<Store, 'engine'>; readonly log: Logger },
  instanceIds: readonly Id[],
): OnPreparing {
  let next: string | null = null;
  let isWriting = false;
  const writeAll = async (): Promise<void> => {
    isWriting = true;
    while (next !== null) {
      const text = next;
      next = null;
      for (const id of instanceIds) {
        await store.engine.updateInstance(id, (found) => reportPreparation(found, text));
      }
    }
  };
  return (text) => {
    next = text;
    if (isWriting) return;
    writeAll()
      .catch((error) => log.warn({ text, err: errorMessage(error) }, 'stage not shown'))
      .finally(() => {
        isWriting = false;
      });
  };
}
