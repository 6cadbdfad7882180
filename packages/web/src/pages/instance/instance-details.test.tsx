import type { Instance } from '@dstack/contract/wire';
import { render, screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import { InstanceDetails } from './instance-details.tsx';

const instance = (more: Partial<Instance>) =>
  ({
    id: 'i1',
    backend: 'aws',
    region: 'eu-1',
    price: 1,
    total_blocks: 1,
    busy_blocks: 0,
    ...more,
  }) as Instance;

it('names the blocks only of an instance that is divided', () => {
  const { rerender } = render(<InstanceDetails instance={instance({})} />);
  expect(screen.queryByText('Blocks in use')).toBeNull();
  rerender(<InstanceDetails instance={instance({ total_blocks: 4, busy_blocks: 1 })} />);
  screen.getByText('1 of 4');
});

it('names who keeps new jobs off an instance, and why', () => {
  const scheduling = {
    ...{ state: 'cordoned' as const, reason: 'a fan is replaced', by: 'ann' },
    ...{ since: null, until: null, deadline: null },
  };
  render(<InstanceDetails instance={instance({ scheduling })} />);
  const value = screen.getByText('Scheduling').parentElement;
  expect(value?.textContent).toBe('Schedulingcordoned by ann: a fan is replaced');
});
