import { render, screen } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import { useMemo, useState } from 'react';
import { expect, it } from 'vitest';
import { CommandProvider, SHORTCUTS_OFF, useCommands } from './command-context.tsx';

function Page({ onRun }: { readonly onRun: () => void }) {
  const [allowed, setAllowed] = useState(true);
  useCommands(
    useMemo(
      () => [
        { id: 'x', label: 'X', group: 'This page', keys: 'g x', when: () => allowed, run: onRun },
        { id: 'k', label: 'K', group: 'This page', keys: 'mod+j', run: onRun },
      ],
      [allowed, onRun],
    ),
  );
  return (
    <>
      <input aria-label="text" />
      <button type="button" onClick={() => setAllowed(false)}>
        forbid
      </button>
    </>
  );
}

async function world() {
  let runs = 0;
  const onRun = () => {
    runs += 1;
  };
  render(
    <CommandProvider>
      <Page onRun={onRun} />
    </CommandProvider>,
  );
  return { user: userEvent.setup(), runs: () => runs };
}

it('runs a command by its keys, one after the other', async () => {
  const { user, runs } = await world();
  await user.keyboard('gx');
  expect(runs()).toBe(1);
});

it('does not run single keys while the reader types', async () => {
  const { user, runs } = await world();
  await user.type(screen.getByRole('textbox'), 'gx');
  expect(runs()).toBe(0);
  await user.keyboard('{Control>}j{/Control}');
  expect(runs()).toBe(1);
});

it('does not run what is not possible now', async () => {
  const { user, runs } = await world();
  await user.click(screen.getByRole('button'));
  await user.keyboard('gx');
  expect(runs()).toBe(0);
});

it('leaves single keys alone for readers who have switched them off', async () => {
  localStorage.setItem(SHORTCUTS_OFF, 'off');
  const { user, runs } = await world();
  await user.keyboard('gx');
  expect(runs()).toBe(0);
});
