import type { ReactNode } from 'react';
import { Logo } from '../../ui/logo/logo.tsx';
import { useInsteadOfFirstFrame } from '../../ui/panel/first-frame.ts';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import styles from './sign-in.module.css';

/** The page around everything that people see before they are signed in. */
export function SignInFrame(props: { readonly title: string; readonly children: ReactNode }) {
  usePageTitle(props.title);
  useInsteadOfFirstFrame();
  return (
    <main className={styles.page}>
      <div className={styles.card}>
        <Logo />
        <h1 className={styles.title}>{props.title}</h1>
        {props.children}
      </div>
    </main>
  );
}
