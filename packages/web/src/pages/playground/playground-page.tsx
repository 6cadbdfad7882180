import type { Run } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { Eraser, MessagesSquare } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { runQuery } from '../../data/runs/run-queries.ts';
import { runRow } from '../../data/runs/run-row.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { type Chat, useChat } from '../../domain/models/use-chat.ts';
import { runLook } from '../../domain/runs/run-look.ts';
import { Button, buttonClass } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { useAnnounce } from '../../ui/feedback/announcer.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { InlineError } from '../../ui/feedback/inline-error.tsx';
import { Field, TextArea, TextField } from '../../ui/field/field.tsx';
import { FormRow } from '../../ui/form/form.tsx';
import { lazyPart } from '../../ui/lazy/lazy-part.ts';
import { TwoColumns } from '../../ui/panel/columns.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { ResourcePage } from '../../ui/panel/resource-page.tsx';
import { ScrollRegion } from '../../ui/panel/scroll-region.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import styles from './playground.module.css';
import { useFollowingEnd } from './use-following-end.ts';

const route = getRouteApi('/shell/projects/$project/models/$run');

/** A conversation with the model of a service. */
export function PlaygroundPage() {
  const { project, run: name } = route.useParams();
  const client = useClient();
  return (
    <ResourcePage
      noun="service"
      name={name}
      query={useQuery(runQuery(client, project, name))}
      isDeleted={({ deleted }) => deleted === true}
      back={
        <Link to="/services" className={buttonClass({})}>
          All services
        </Link>
      }
    >
      {(run, notice) => {
        const model = run.service?.model?.name;
        return (
          <PageFrame
            title={<bdi>{model ?? name}</bdi>}
            beside={<StatusBadge look={runLook(runRow(run))} filled />}
            subtitle={
              <>
                Model of service{' '}
                <Link to="/projects/$project/runs/$run" params={{ project, run: name }}>
                  <bdi>{name}</bdi>
                </Link>
              </>
            }
          >
            {notice}
            {model === undefined ? (
              <EmptyState icon={MessagesSquare} title="This run serves no model">
                <p>
                  A service has one if its configuration names it under <code>model</code>.
                </p>
              </EmptyState>
            ) : (
              <Playground project={project} model={model} run={run} />
            )}
          </PageFrame>
        );
      }}
    </ResourcePage>
  );
}

/** Answers are plain text until it is loaded. */
const markdown = lazyPart(async () => {
  const { MarkdownView } = await import('../../domain/markdown/markdown-view.tsx');
  return MarkdownView;
});

interface PlaygroundProps {
  readonly project: string;
  readonly model: string;
  readonly run: Run;
}

function Playground({ project, model, run }: PlaygroundProps) {
  const client = useClient();
  const chat = useChat(client.project(project).models);
  const [text, setText] = useState('');
  const [system, setSystem] = useState('');
  const [temperature, setTemperature] = useState('');
  const [maxTokens, setMaxTokens] = useState('');
  useAnswerAnnouncement(chat);
  const following = useFollowingEnd(chat.messages);
  const Markdown = markdown.usePart(chat.messages.length > 0);
  const faults = {
    temperature: temperatureFault(temperature),
    maxTokens: maxTokensFault(maxTokens),
  };
  const send = () => {
    if (text.trim() === '' || chat.isAnswering || faults.temperature || faults.maxTokens) return;
    chat.send(text, {
      model,
      system,
      temperature: numberOf(temperature),
      maxTokens: numberOf(maxTokens),
    });
    setText('');
    following.toEnd();
  };
  return (
    <TwoColumns
      main={
        <Panel
          title="Conversation"
          actions={
            <Button size="sm" icon={<Eraser size={13} />} onClick={chat.clear}>
              Clear
            </Button>
          }
        >
          <ScrollRegion label="Messages" className={styles.messages} {...following.region}>
            {chat.messages.length === 0 ? (
              <p className={styles.hint}>Messages are sent to the model, and stored nowhere.</p>
            ) : (
              <ol className={styles.list}>
                {chat.messages.map((message, index) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: messages are only appended
                  <li key={index} className={styles.message} data-role={message.role}>
                    <span className={styles.role}>{message.role === 'user' ? 'You' : 'Model'}</span>
                    {message.role === 'assistant' && Markdown !== null ? (
                      <Markdown text={message.content} />
                    ) : (
                      <div className={styles.text}>{message.content}</div>
                    )}
                  </li>
                ))}
              </ol>
            )}
          </ScrollRegion>
          {chat.error === null ? null : <InlineError text={chat.error} />}
          <form
            className={styles.form}
            aria-label="Message"
            onSubmit={(event) => {
              event.preventDefault();
              send();
            }}
          >
            <TextArea
              aria-label="Message"
              placeholder="Write a message. Enter sends it, Shift+Enter begins a new line."
              rows={3}
              spellCheck
              value={text}
              onChange={(event) => setText(event.target.value)}
              onKeyDown={(event) => {
                if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing)
                  return;
                event.preventDefault();
                send();
              }}
            />
            {chat.isAnswering ? (
              <Button onClick={chat.stop}>Stop</Button>
            ) : (
              <Button type="submit" variant="primary">
                Send
              </Button>
            )}
          </form>
        </Panel>
      }
      side={
        <>
          <Panel title="Options">
            <div className={styles.options}>
              <Field label="System instructions" optional>
                {(control) => (
                  <TextArea
                    {...control}
                    rows={4}
                    value={system}
                    onChange={(event) => setSystem(event.target.value)}
                  />
                )}
              </Field>
              <FormRow>
                <TextField
                  label="Temperature"
                  optional
                  value={temperature}
                  onChange={setTemperature}
                  error={faults.temperature}
                  input={{ inputMode: 'decimal' }}
                />
                <TextField
                  label="Most tokens"
                  optional
                  value={maxTokens}
                  onChange={setMaxTokens}
                  error={faults.maxTokens}
                  input={{ inputMode: 'numeric' }}
                />
              </FormRow>
            </div>
          </Panel>
          <Panel title="From programs">
            <CommandBlock text={curlOf(run, model)} label="Copy the request" />
          </Panel>
        </>
      }
    />
  );
}

/** The most of an answer that is read out; the rest is in the list of messages. */
const ANNOUNCED = 300;

/** Announces an answer once it is complete: the live region must not repeat every piece of it. */
function useAnswerAnnouncement({ isAnswering, messages, error }: Chat): void {
  const announce = useAnnounce();
  const wasAnswering = useRef(false);
  useEffect(() => {
    if (wasAnswering.current && !isAnswering) {
      const answer = messages.at(-1);
      if (error !== null) announce(`The model failed: ${error}`);
      else if (answer?.role === 'assistant')
        announce(`Model: ${answer.content.slice(0, ANNOUNCED)}`);
    }
    wasAnswering.current = isAnswering;
  }, [announce, isAnswering, messages, error]);
}

const numberOf = (text: string): number | null => (text.trim() === '' ? null : Number(text));

/** The error of the typed temperature; null: there is none. Models have upper limits of their own. */
function temperatureFault(text: string): string | null {
  const value = numberOf(text) ?? 0;
  return Number.isFinite(value) && value >= 0 ? null : 'A number from 0, such as 0.7';
}

function maxTokensFault(text: string): string | null {
  const value = numberOf(text) ?? 1;
  return Number.isSafeInteger(value) && value > 0 ? null : 'A whole number from 1, such as 512';
}

/** The token is not part of it. */
function curlOf(run: Run, model: string): string {
  const base = run.service?.model?.base_url ?? `/proxy/models/${run.project_name}/`;
  const url = new URL(`${base.replace(/\/$/, '')}/chat/completions`, location.origin).href;
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] });
  return `curl ${url} \\\n  -H "Authorization: Bearer $DSTACK_TOKEN" \\\n  -H 'Content-Type: application/json' \\\n  -d '${body.replaceAll("'", "'\\''")}'`;
}
