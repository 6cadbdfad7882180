import { ApiError, ResourceExistsError } from '@dstack/client';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useState } from 'react';
import { expect, it } from 'vitest';
import { TextField } from '../field/field.tsx';
import { Form } from './form.tsx';
import { SelectField } from './select-field.tsx';
import { useSubmit } from './use-submit.ts';

const ANSWER = { request: 'POST /x', status: 400, code: null, body: null, requestId: null };
const refusal = (text: string, ...fields: string[][]) => new ApiError(text, { ...ANSWER, fields });

function Example({ refusals }: { readonly refusals: readonly Error[] }) {
  const submission = useSubmit();
  const [left, setLeft] = useState(refusals);
  const [local, setLocal] = useState('');
  const call = async () => {
    setLeft(left.slice(1));
    if (left[0]) throw left[0];
  };
  return (
    <Form
      label="Example"
      error={submission.error}
      onSubmit={() => local === '' && void submission.submit(call)}
      actions={<button type="submit">Save</button>}
    >
      <TextField label="Name" value="" onChange={() => {}} error={submission.errorOf('name')} />
      <SelectField
        label="Role"
        value="a"
        options={[{ value: 'a', label: 'A' }]}
        onChange={() => {}}
        error={submission.errorOf('role', 'roles')}
      />
      <TextField
        label="Local"
        value={local}
        onChange={setLocal}
        error={local === '' ? null : 'is not empty'}
      />
    </Form>
  );
}

const save = () => userEvent.click(screen.getByRole('button', { name: 'Save' }));

it.each([
  ['Name', refusal('bad name', ['name'])],
  ['Role', refusal('bad role', ['spec', 'roles', '0'])],
  ['Name', new ResourceExistsError('it exists', { ...ANSWER, fields: [] })],
])('a refusal is shown once, at its field: %s', async (label, error) => {
  render(<Example refusals={[error]} />);
  await save();
  const field = await screen.findByLabelText(label);
  expect(document.activeElement).toBe(field);
  expect(field.getAttribute('aria-invalid')).toBe('true');
  const alert = screen.getByRole('alert');
  expect(alert.textContent).toBe(error.message);
  expect(field.getAttribute('aria-describedby')).toContain(alert.id);
});

it('a refusal of the whole is shown below the fields', async () => {
  render(<Example refusals={[refusal('not today'), refusal('bad name', ['name'])]} />);
  await save();
  expect((await screen.findByRole('alert')).textContent).toContain('not today');
  expect(document.querySelector('[aria-invalid]')).toBeNull();
  await save();
  expect(screen.getByRole('alert').textContent).toBe('bad name');
  expect(document.activeElement).toBe(screen.getByLabelText('Name'));
});

it('the same refusal again moves the focus again', async () => {
  render(<Example refusals={Array(2).fill(refusal('bad name', ['name']))} />);
  await save();
  await screen.findByRole('alert');
  await save();
  await screen.findByRole('alert');
  expect(document.activeElement).toBe(screen.getByLabelText('Name'));
});

it('an error that the form itself finds has the focus after an attempt, not while a user types', async () => {
  render(<Example refusals={[]} />);
  await userEvent.type(screen.getByLabelText('Local'), 'x');
  await userEvent.click(screen.getByLabelText('Name'));
  expect(document.activeElement).toBe(screen.getByLabelText('Name'));
  await save();
  expect(document.activeElement).toBe(screen.getByLabelText('Local'));
});
