import {
  autocompletion,
  type CompletionContext,
  type CompletionResult,
  closeBrackets,
  completionKeymap,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import {
  bracketMatching,
  type IndentContext,
  indentService,
  indentUnit,
  syntaxHighlighting,
} from '@codemirror/language';
import { type Diagnostic, lintGutter, setDiagnostics } from '@codemirror/lint';
import { EditorState } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import { useEffect, useRef } from 'react';
import { useLatest } from '../use-latest.ts';
import { editorHighlight, editorTheme } from './editor-theme.ts';
import styles from './yaml-editor.module.css';
import { indentationAfter } from './yaml-indentation.ts';

export interface EditorMark {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

export interface EditorCompletions {
  readonly from: number;
  readonly options: readonly {
    readonly label: string;
    readonly detail: string;
    readonly apply: string;
    readonly kind: 'property' | 'enum';
  }[];
}

export interface YamlEditorProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly onSubmit: () => void;
  readonly marks: readonly EditorMark[];
  readonly complete: (text: string, offset: number) => EditorCompletions | null;
}

/** A text editor for YAML. Tab moves the focus, as everywhere else. */
export function YamlEditor(props: YamlEditorProps) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useLatest(props);
  const { value, marks } = props;

  // The library draws into the element by itself.
  useEffect(() => {
    const parent = place.current;
    if (parent === null) return;
    const made = new EditorView({
      parent,
      state: EditorState.create({
        doc: latest.current.value,
        extensions: [
          lineNumbers(),
          lintGutter(),
          history(),
          drawSelection(),
          highlightActiveLine(),
          bracketMatching(),
          closeBrackets(),
          indentUnit.of('  '),
          indentService.of(yamlIndentation),
          yaml(),
          syntaxHighlighting(editorHighlight),
          editorTheme,
          autocompletion({ override: [(context) => completions(context, latest.current)] }),
          keymap.of([
            { key: 'Mod-Enter', run: () => submit(latest.current) },
            ...completionKeymap,
            ...historyKeymap,
            ...defaultKeymap,
          ]),
          // Browsers carry the style of replaced text over by inline styles, which the policy forbids.
          EditorView.domEventHandlers({ beforeinput: replaceSelection }),
          // Stated, although browsers move the focus into editable content anyway: it makes the scroller usable by keyboard.
          EditorView.contentAttributes.of({ 'aria-label': latest.current.label, tabindex: '0' }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = made;
    return () => {
      made.destroy();
      view.current = null;
    };
  }, [latest]);

  // Texts that do not come from this editor: templates, the form.
  useEffect(() => {
    const editor = view.current;
    if (editor === null || editor.state.doc.toString() === value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: marks belong to lines of the text
  useEffect(() => {
    const editor = view.current;
    if (editor !== null) editor.dispatch(setDiagnostics(editor.state, diagnostics(editor, marks)));
  }, [marks, value]);
  return <div ref={place} className={styles.editor} />;
}

/** Returns that the browser has nothing to insert any more. */
function replaceSelection(event: InputEvent, view: EditorView): boolean {
  const isPlain = event.inputType === 'insertText' && event.data !== null;
  if (!isPlain || view.state.selection.main.empty || view.composing) return false;
  view.dispatch(view.state.replaceSelection(event.data ?? ''), {
    userEvent: 'input.type',
    scrollIntoView: true,
  });
  return true;
}

/** In columns, of a new line at this place. */
function yamlIndentation(context: IndentContext, position: number): number | undefined {
  if (context.simulatedBreak === null) return undefined;
  const { text } = context.lineAt(position, -1);
  return indentationAfter(text);
}

/** Returns that the key was used. */
function submit({ onSubmit }: YamlEditorProps): boolean {
  onSubmit();
  return true;
}

function completions(
  context: CompletionContext,
  { complete }: YamlEditorProps,
): CompletionResult | null {
  const found = complete(context.state.doc.toString(), context.pos);
  if (found === null || (!context.explicit && found.from === context.pos)) return null;
  return {
    from: found.from,
    options: found.options.map(({ label, detail, apply, kind }) => ({
      label,
      apply,
      type: kind,
      ...(detail === '' ? {} : { info: detail }),
    })),
    validFor: /^[\w.-]*$/,
  };
}

function diagnostics(view: EditorView, marks: readonly EditorMark[]): Diagnostic[] {
  const { doc } = view.state;
  return marks.map(({ line, message }) => {
    const { from, to, text } = doc.line(Math.min(Math.max(1, line), doc.lines));
    const start = from + (text.length - text.trimStart().length);
    return { from: Math.min(start, to), to, severity: 'error', message };
  });
}
