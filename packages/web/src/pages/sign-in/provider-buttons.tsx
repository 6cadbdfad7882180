import { TriangleAlert } from 'lucide-react';
import { useState } from 'react';
import { goToProvider } from '../../data/session/provider-sign-in.ts';
import { providerFaultText } from '../../data/session/session.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { providerTitle } from '../../domain/users/sign-in-providers.ts';
import { Button } from '../../ui/button/button.tsx';
import { Banner } from '../../ui/feedback/banner.tsx';
import { Checkbox } from '../../ui/field/field.tsx';
import styles from './sign-in.module.css';

/** Each leads to the page of a provider, which leads back. */
export function ProviderButtons({ names }: { readonly names: readonly string[] }) {
  const client = useClient();
  const [busy, setBusy] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [persistent, setPersistent] = useState(false);
  const go = async (name: string) => {
    setBusy(name);
    setError(null);
    const { pathname, search, hash } = window.location;
    try {
      await goToProvider(client, name, { path: pathname + search + hash, persistent }, window);
    } catch (failure) {
      setError(providerFaultText(failure));
      setBusy(null);
    }
  };
  return (
    <div className={styles.form}>
      {error === null ? null : (
        <div role="alert">
          <Banner tone="failed" icon={TriangleAlert}>
            {error}
          </Banner>
        </div>
      )}
      {names.map((name, index) => (
        <Button
          key={name}
          variant={index === 0 ? 'primary' : 'secondary'}
          busy={busy === name}
          onClick={() => void go(name)}
        >
          Continue with {providerTitle(name)}
        </Button>
      ))}
      <Checkbox checked={persistent} onChange={setPersistent}>
        Stay signed in on this computer
      </Checkbox>
    </div>
  );
}
