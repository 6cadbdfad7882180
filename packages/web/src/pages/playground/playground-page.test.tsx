import { screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

it('shows the answer as it is produced, and keeps the conversation when the model fails', async () => {
  const asked: unknown[] = [];
  const next = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  const service = {
    url: '/proxy/services/main/llm/',
    model: { name: 'parrot', base_url: '/proxy/models/main/', type: 'chat' },
    options: {},
  };
  const { user } = await renderApp('/projects/main/models/llm', {
    project: () => ({
      runs: { get: async () => aRun('llm', { service: service as never }) },
      models: {
        async *chat(request: unknown) {
          asked.push(request);
          for (const { promise } of next) yield await promise;
        },
      },
    }),
  });
  const message = await screen.findByRole('textbox', { name: 'Message' });
  await user.type(message, 'hello{Enter}');
  const messages = screen.getByRole('region', { name: 'Messages' });
  within(messages).getByText('hello');
  next[0]?.resolve('good ');
  await within(messages).findByText('good');
  screen.getByRole('button', { name: 'Stop' });
  next[1]?.reject(new Error('out of memory'));
  await screen.findByText('out of memory');
  within(messages).getByText('hello');
  await waitFor(() => screen.getByRole('button', { name: 'Send' }));
  await screen.findByText('The model failed: out of memory');
  expect(asked).toEqual([{ model: 'parrot', messages: [{ role: 'user', content: 'hello' }] }]);
});

it('names what is wrong with an option at its field, and sends nothing meanwhile', async () => {
  const asked: unknown[] = [];
  const model = { name: 'parrot', base_url: '/proxy/models/main/', type: 'chat' };
  const service = { url: '/proxy/services/main/llm/', model, options: {} };
  const { user } = await renderApp('/projects/main/models/llm', {
    project: () => ({
      runs: { get: async () => aRun('llm', { service: service as never }) },
      models: {
        async *chat(request: unknown) {
          asked.push(request);
          yield 'good';
        },
      },
    }),
  });
  const message = await screen.findByRole('textbox', { name: 'Message' });
  const temperature = screen.getByRole('textbox', { name: /^Temperature/ });
  const most = screen.getByRole('textbox', { name: /^Most tokens/ });
  await user.type(temperature, 'warm');
  await user.type(most, '1.5');
  await user.type(message, 'hello{Enter}');
  screen.getByText('A number from 0, such as 0.7');
  screen.getByText('A whole number from 1, such as 512');
  expect(temperature.getAttribute('aria-invalid')).toBe('true');
  expect(asked).toEqual([]);
  await user.clear(temperature);
  await user.type(temperature, '0.2');
  await user.clear(most);
  await user.type(message, '{Enter}');
  await screen.findByText('good');
  expect(asked).toMatchObject([{ temperature: 0.2 }]);
});
