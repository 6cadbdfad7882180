/** Renders chat templates in a separate process; see `template-renderer.ts`. */
import { Worker } from 'node:worker_threads';
import { render } from './jinja/render.ts';
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
    const variables = { messages: messages as never, add_generation_prompt: true };
    return { text: render(template, variables) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
