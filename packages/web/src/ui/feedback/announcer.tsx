import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';
import { AnnouncementQueue } from './announcement-queue.ts';

const Announce = createContext<(text: string) => void>(() => {});

/** Announces outcomes to screen readers. Never used for lines of logs. */
export function useAnnounce(): (text: string) => void {
  return useContext(Announce);
}

/** Holds the only live region of the page. */
export function AnnouncerProvider({ children }: { readonly children: ReactNode }) {
  const [text, setText] = useState('');
  const queue = useMemo(() => new AnnouncementQueue(setText), []);
  useEffect(() => () => queue.close(), [queue]);
  return (
    <Announce.Provider value={queue.announce}>
      {children}
      <div role="status" aria-live="polite" className="visually-hidden">
        {text}
      </div>
    </Announce.Provider>
  );
}
