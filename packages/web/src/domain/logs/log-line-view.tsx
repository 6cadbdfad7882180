import { type CSSProperties, memo } from 'react';
import { visibleText } from '../../ui/code/visible-text.ts';
import { type AnsiColor, type AnsiStyle, parseAnsi } from './ansi.ts';
import type { LogLine } from './line-reader.ts';
import type { Mark } from './log-search.ts';
import styles from './log-view.module.css';

/** The part of a line that is drawn; the rest of a megabyte would stop the page. */
const DRAWN = 6000;

export interface LogLineViewProps {
  readonly line: LogLine;
  /** The parts that a search has found, in the plain text. */
  readonly marksOf: (line: LogLine) => readonly Mark[];
  /** The place of the present hit in this line, in characters; null: it is elsewhere. */
  readonly currentHit: number | null;
}

/** One line. Its text is untrusted: it only becomes text nodes. */
export const LogLineView = memo(function LogLineView(props: LogLineViewProps) {
  const { line, marksOf, currentHit } = props;
  if (line.isNote) return <span className={styles.note}>{line.text}</span>;
  const { spans } = parseAnsi(line.text.slice(0, DRAWN), line.style);
  const rest = line.text.length - DRAWN;
  let at = 0;
  const parts = spans.map(({ text, style }) => {
    const from = at;
    at += text.length;
    return { text, style, from };
  });
  const marks = marksOf(line);
  return (
    <>
      {parts.map(({ text, style, from }) => (
        <span key={from} style={cssOf(style)} className={style.bold ? styles.bold : undefined}>
          {marks.length === 0 ? visibleText(text) : marked(text, from, marks, currentHit)}
        </span>
      ))}
      {rest > 0 ? (
        <span className={styles.note}> … {rest.toLocaleString('en-US')} more characters</span>
      ) : null}
      {line.text === '' ? '\u200b' : null}
    </>
  );
});

/** The text of a span, which begins at `start` of the line, with its parts of the marks. */
function marked(text: string, start: number, marks: readonly Mark[], currentHit: number | null) {
  const parts: React.ReactNode[] = [];
  let from = 0;
  for (const mark of marks) {
    const left = Math.max(0, mark.from - start);
    const right = Math.min(text.length, mark.to - start);
    if (right <= 0 || left >= text.length || right <= left) continue;
    if (left > from) parts.push(visibleText(text.slice(from, left)));
    parts.push(
      <mark key={left} className={styles.mark} data-current={mark.from === currentHit || undefined}>
        {visibleText(text.slice(left, right))}
      </mark>,
    );
    from = right;
  }
  if (from < text.length) parts.push(visibleText(text.slice(from)));
  return parts;
}

function cssOf(style: AnsiStyle): CSSProperties | undefined {
  const { fg, bg, dim, italic, underline, strike, inverse } = style;
  const front = inverse ? (bg ?? 'inverse') : fg;
  const back = inverse ? (fg ?? 'default') : bg;
  const css: CSSProperties = {};
  if (front !== null) css.color = front === 'inverse' ? 'var(--surface)' : colorOf(front);
  if (back !== null)
    css.backgroundColor = back === 'default' ? 'var(--text)' : tintOf(back, inverse);
  if (dim) css.opacity = 0.7;
  if (italic) css.fontStyle = 'italic';
  if (underline || strike) {
    css.textDecoration = `${underline ? 'underline' : ''} ${strike ? 'line-through' : ''}`;
  }
  return Object.keys(css).length === 0 ? undefined : css;
}

function colorOf(color: AnsiColor): string {
  return typeof color === 'number' ? `var(--ansi-${color})` : String(color);
}

/** Backgrounds of the palette are tints, on which the colours of the palette stay readable. */
function tintOf(color: AnsiColor, isSolid: boolean): string {
  if (typeof color !== 'number' || isSolid) return colorOf(color);
  return `color-mix(in oklch, var(--ansi-${color}) 24%, transparent)`;
}
