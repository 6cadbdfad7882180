import { type FormEvent, useId, useState } from 'react';
import { SignInError } from '../../data/session/session.ts';
import { useSession } from '../../data/session/session-context.tsx';
import { Button } from '../../ui/button/button.tsx';
import { Checkbox, Field, TextInput } from '../../ui/field/field.tsx';
import styles from './sign-in.module.css';

/** Signs in with a token, which the browser then forgets. */
export function TokenForm() {
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
