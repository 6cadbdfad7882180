/** Credentials for images: write-only, and kept while a pod uses them. */
import { type CloudAccount, hexId } from '../../account.ts';
import { fieldsOf, textField } from '../../fields.ts';
import type { CloudCall } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';

interface Registry {
  readonly id: string;
  readonly name: string;
  readonly username: string;
  readonly password: string;
}

const OF_ACCOUNT = new WeakMap<CloudAccount, Map<string, Registry>>();

/** For tests: what the account keeps. */
export function registriesOf(account: CloudAccount): Map<string, Registry> {
  const known = OF_ACCOUNT.get(account) ?? new Map<string, Registry>();
  OF_ACCOUNT.set(account, known);
  return known;
}

/** Throws for an unknown id, as pods cannot name it. */
export function authOf(account: CloudAccount, id: string) {
  const found = registriesOf(account).get(id);
  if (!found) throw new Refusal('conflict', 'Registry auth not found');
  const { username, password } = found;
  return { username, password };
}

export function listRegistries({ account }: CloudCall): CloudAnswer {
  const registries = [...registriesOf(account).values()].map(({ id, name }) => ({ id, name }));
  return { status: 200, body: { registries } };
}

export function addRegistry({ account, body }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  const registry = {
    ...{ id: hexId().slice(0, 25), name: textField(fields, 'name') },
    ...{ username: textField(fields, 'username'), password: textField(fields, 'password') },
  };
  const isTaken = [...registriesOf(account).values()].some(({ name }) => name === registry.name);
  if (isTaken) throw new Refusal('conflict', 'Registry auth name is not unique');
  registriesOf(account).set(registry.id, registry);
  return { status: 201, body: { id: registry.id, name: registry.name } };
}

export function removeRegistry({ account, params }: CloudCall): CloudAnswer {
  const id = params.id ?? '';
  // Not 404, as the real one does not answer it either.
  if (!registriesOf(account).has(id)) throw new Refusal('conflict', 'Registry auth not found');
  const isUsed = account.vms
    .all()
    .some(
      ({ tags, state }) =>
        state !== 'ending' && tags.some(({ key, value }) => key === 'registry' && value === id),
    );
  if (isUsed) throw new Refusal('conflict', 'Registry auth is in use');
  registriesOf(account).delete(id);
  return { status: 204, body: null };
}
