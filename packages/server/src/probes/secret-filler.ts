import { interpolate } from '@dstack/contract';
import type { Id } from '@dstack/core';
import type { Store } from '@dstack/store';

/** Records of jobs contain no secrets: they are looked up for each execution. */
export async function secretFiller(
  store: Pick<Store, 'secrets'>,
  spec: object,
  projectId: Id,
): Promise<(text: string) => string> {
  if (!JSON.stringify(spec).includes('${{')) return (text) => text;
  const secrets = await store.secrets.values(projectId);
  return (text) => {
    const answer = interpolate(text, { secrets });
    if (!answer.ok) throw new Error(`Secrets interpolation error: ${answer.error}`);
    return answer.text;
  };
}
