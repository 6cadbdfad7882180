import { HighlightStyle } from '@codemirror/language';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';

/** The editor in the colours of the page. */
export const editorTheme = EditorView.theme({
  '&': { height: '100%', backgroundColor: 'var(--surface)', color: 'var(--text)' },
  '&.cm-focused': { outline: '2px solid var(--focus)', outlineOffset: '-1px' },
  '.cm-scroller': {
    fontFamily: 'var(--font-mono)',
    fontSize: 'var(--text-sm)',
    lineHeight: '1.6',
  },
  '.cm-content': { padding: '8px 0', caretColor: 'var(--text)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-gutters': {
    backgroundColor: 'var(--surface)',
    color: 'var(--text-faint)',
    borderRight: '1px solid var(--border)',
  },
  '.cm-activeLine': {
    backgroundColor: 'color-mix(in oklch, var(--surface-hover) 60%, transparent)',
  },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground':
    { backgroundColor: 'var(--accent-tint)' },
  '.cm-tooltip': {
    backgroundColor: 'var(--surface-popup)',
    color: 'var(--text)',
    border: 'none',
    borderRadius: 'var(--radius)',
    boxShadow: 'var(--shadow-popup)',
    overflow: 'hidden',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': {
    fontFamily: 'var(--font-mono)',
    fontSize: 'var(--text-xs)',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '4px 8px', lineHeight: '1.4' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': {
    backgroundColor: 'var(--accent-solid)',
    color: 'var(--on-accent)',
  },
  '.cm-completionInfo': { padding: '6px 8px', maxWidth: '20rem', fontSize: 'var(--text-xs)' },
  // In place of the library's pictures, which the content security policy refuses.
  '.cm-lint-marker-error': {
    content: 'normal',
    width: '9px',
    height: '9px',
    margin: '5px 2px',
    borderRadius: '50%',
    backgroundColor: 'var(--tone-failed-solid)',
  },
  '.cm-lintRange-error': {
    backgroundImage: 'none',
    textDecoration: 'underline wavy var(--tone-failed)',
    textUnderlineOffset: '3px',
  },
  '.cm-diagnostic': { padding: '4px 8px', fontSize: 'var(--text-xs)' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--tone-failed-solid)' },
});

export const editorHighlight = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--accent)' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--ansi-2)' },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: 'var(--ansi-3)' },
  { tag: [tags.comment, tags.lineComment], color: 'var(--text-faint)' },
  { tag: [tags.typeName, tags.labelName], color: 'var(--ansi-5)' },
  { tag: [tags.separator, tags.punctuation, tags.meta], color: 'var(--text-dim)' },
]);
