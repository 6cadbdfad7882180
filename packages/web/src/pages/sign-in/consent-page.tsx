import { providerTitle } from '../../domain/users/sign-in-providers.ts';
import { Button } from '../../ui/button/button.tsx';
import { SignInFrame } from './sign-in-frame.tsx';

export interface ConsentPageProps {
  /** The name of the provider: `okta`. */
  readonly provider: string;
  /** Whom the program would get. */
  readonly user: string;
  /** Where the program listens. */
  readonly port: string;
  readonly onAgree: () => void;
  readonly onRefuse: () => void;
}

/** Asks before a program on the computer gets the sign-in: a stranger may have sent the link that led here. */
export function ConsentPage({ provider, user, port, onAgree, onRefuse }: ConsentPageProps) {
  return (
    <SignInFrame title="Hand over the sign-in?">
      <p>
        A program on port {port} of this computer wants to sign in as <strong>{user}</strong>, with
        your account at {providerTitle(provider)}. It will get your token and can do all that you
        can do.
      </p>
      <p>
        Continue only if you have just started a log-in on the command line of this computer. If a
        link led you here, refuse.
      </p>
      <Button variant="primary" onClick={onAgree}>
        Continue
      </Button>
      <Button onClick={onRefuse}>Refuse</Button>
    </SignInFrame>
  );
}
