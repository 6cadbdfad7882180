import type { ServiceFigures } from '@dstack/contract/wire';
import type { Installation } from '@dstack/testkit';

/** The requests of a service, as the server reports them. */
export async function serviceFigures(home: Installation, name: string): Promise<ServiceFigures> {
  const url = new URL(`/api/project/main/services/${name}/state`, home.url);
  const answer = await fetch(url, { headers: { authorization: `Bearer ${home.token()}` } });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return (await answer.json()) as ServiceFigures;
}
