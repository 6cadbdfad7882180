/** Renders chat templates in a separate process; see `template-renderer.ts`. */
import { Worker } from 'node:worker_threads';
import { errorMessage } from '@dstack/contract/error-message';
import { renderChat } from './chat-template.ts';
import type { TemplateAnswer, TemplateJob } from './template-renderer.ts';

/** Ends the process together with its parent, also while a template keeps this thread busy. */
const WATCH = `
  const { ppid } = process;
  setInterval(() => process.ppid === ppid || process.kill(process.pid, 'SIGKILL'), 1000);
`;

process.on('message', ({ template, messages }: TemplateJob) => {
  process.send?.(answerTo(template, messages));
});
process.on('disconnect', () => process.exit());
new Worker(WATCH, { eval: true }).unref();

function answerTo(template: string, messages: unknown): TemplateAnswer {
  try {
    return { text: renderChat(template, messages) };
  } catch (error) {
    return { error: errorMessage(error) };
  }
}
