import { fireEvent, screen, waitFor, within } from '@testing-library/react';
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

/** A conversation whose answer the test states piece by piece. */
async function answering() {
  const model = { name: 'parrot', base_url: '/proxy/models/main/', type: 'chat' };
  const service = { url: '/proxy/services/main/llm/', model, options: {} };
  const pieces: PromiseWithResolvers<string>[] = [Promise.withResolvers<string>()];
  const { user } = await renderApp('/projects/main/models/llm', {
    project: () => ({
      runs: { get: async () => aRun('llm', { service: service as never }) },
      models: {
        async *chat() {
          for (;;) yield await (pieces.at(-1)?.promise ?? '');
        },
      },
    }),
  });
  await user.type(await screen.findByRole('textbox', { name: 'Message' }), 'hello{Enter}');
  const messages = screen.getByRole('region', { name: 'Messages' });
  const say = (text: string) => {
    const present = pieces.at(-1);
    pieces.push(Promise.withResolvers<string>());
    present?.resolve(text);
  };
  return { messages, say };
}

it('draws the Markdown of an answer, without its HTML and without addresses that are not of the web', async () => {
  const { messages, say } = await answering();
  say(
    '# Steps\n\n1. **First** `ls`\n\n[docs](https://x.org) [bad](javascript:alert(1)) <b>no</b>\n',
  );
  await within(messages).findByRole('heading', { name: 'Steps' });
  expect(within(messages).getByText('First').tagName).toBe('STRONG');
  expect(within(messages).getByRole('link', { name: 'docs' }).getAttribute('href')).toBe(
    'https://x.org',
  );
  expect(within(messages).getAllByRole('link')).toHaveLength(1);
  within(messages).getByText(/<b>no<\/b>/);
});

it('follows the end of an answer until the reader scrolls up', async () => {
  const { messages, say } = await answering();
  let height = 1000;
  Object.defineProperty(messages, 'scrollHeight', { get: () => height });
  Object.defineProperty(messages, 'clientHeight', { get: () => 300 });
  say('one ');
  await within(messages).findByText('one');
  expect(messages.scrollTop).toBe(1000);
  messages.scrollTop = 100;
  fireEvent.scroll(messages);
  height = 1200;
  say('two ');
  await within(messages).findByText('one two');
  expect(messages.scrollTop).toBe(100);
  messages.scrollTop = 900;
  fireEvent.scroll(messages);
  say('three');
  await within(messages).findByText('one two three');
  expect(messages.scrollTop).toBe(1200);
});
