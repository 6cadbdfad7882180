import { Info } from 'lucide-react';
import { type FormEvent, useId, useState } from 'react';
import { SignInError } from '../../data/session/session.ts';
import { useSession } from '../../data/session/session-context.tsx';
import { Button } from '../../ui/button/button.tsx';
import { Banner } from '../../ui/feedback/banner.tsx';
import { Checkbox, Field, TextInput } from '../../ui/field/field.tsx';
import { Logo } from '../../ui/logo/logo.tsx';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import styles from './sign-in.module.css';

const REASONS = {
  none: null,
  left: 'You have signed out.',
  ended: 'Your session has ended, or your token was replaced. Sign in to continue where you were.',
} as const;

/** Shown at any address to those who are not signed in. */
export function SignInPage({ reason }: { readonly reason: keyof typeof REASONS }) {
  usePageTitle('Sign in');
  const notice = REASONS[reason];
  return (
    <main className={styles.page}>
      <div className={styles.card}>
        <Logo />
        <h1 className={styles.title}>Sign in</h1>
        {notice === null ? null : (
          <Banner tone={reason === 'ended' ? 'warning' : 'queued'} icon={Info}>
            {notice}
          </Banner>
        )}
        <TokenForm />
      </div>
    </main>
  );
}

function TokenForm() {
  const session = useSession();
  const hint = useId();
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [persistent, setPersistent] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const token = String(new FormData(event.currentTarget).get('token') ?? '').trim();
    if (token === '') return setError('Enter your token.');
    setBusy(true);
    setError(null);
    try {
      await session.signIn(token, persistent);
    } catch (failure) {
      setError(failure instanceof SignInError ? failure.message : String(failure));
      setBusy(false);
    }
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      {/* Password managers keep a password for a name only. */}
      <input type="text" autoComplete="username" defaultValue="dstack" readOnly hidden />
      <Field label="Token" error={error}>
        {(control) => (
          <TextInput
            {...control}
            name="token"
            type="password"
            autoComplete="current-password"
            aria-describedby={[control['aria-describedby'], hint].filter(Boolean).join(' ')}
          />
        )}
      </Field>
      <Checkbox checked={persistent} onChange={setPersistent}>
        Stay signed in on this computer
      </Checkbox>
      <Button type="submit" variant="primary" busy={busy}>
        Sign in
      </Button>
      <p id={hint} className={styles.hint}>
        The server prints the token of the administrator when it starts for the first time. The
        command line keeps yours in <code>~/.dstack/config.yml</code>.
      </p>
    </form>
  );
}
