import type { AppCommand } from './commands/command.ts';

const ROW = '#main [data-row-focus]';
const TABS = '#main nav[data-tabs] a';

/** Commands that pages have by what is on them: rows and tabs. */
export const PAGE_COMMANDS: readonly AppCommand[] = [
  {
    id: 'rows.enter',
    label: 'Go to the first row',
    group: 'This page',
    // In a table the same key moves on, and does not arrive here.
    keys: 'j',
    when: () => document.querySelector(ROW) !== null,
    run: () => document.querySelector<HTMLElement>(ROW)?.focus(),
  },
  tabCommand('tabs.next', 'Next tab', ']', 1),
  tabCommand('tabs.previous', 'Previous tab', '[', -1),
];

function tabCommand(id: string, label: string, keys: string, step: 1 | -1): AppCommand {
  return {
    ...{ id, label, group: 'This page', keys },
    when: () => document.querySelector(TABS) !== null,
    run: () => {
      const tabs = [...document.querySelectorAll<HTMLElement>(TABS)];
      const current = tabs.findIndex((tab) => tab.getAttribute('aria-current') === 'page');
      tabs[(current + step + tabs.length) % tabs.length]?.click();
    },
  };
}
