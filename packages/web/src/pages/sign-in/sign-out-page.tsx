import { useNavigate } from '@tanstack/react-router';
import { useEffect } from 'react';
import { useSession } from '../../data/session/session-context.tsx';

/** For links and bookmarks of the official UI; the menu of the user signs out without it. */
export function SignOutPage() {
  const session = useSession();
  const navigate = useNavigate();
  // The address goes first: the next user must not be signed out again.
  useEffect(() => {
    void navigate({ to: '/', replace: true }).then(() => session.signOut());
  }, [navigate, session]);
  return null;
}
