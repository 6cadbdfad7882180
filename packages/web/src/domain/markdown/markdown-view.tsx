import { type ReactNode, useMemo } from 'react';
import { CodeBlock } from '../../ui/code/code-block.tsx';
import { ScrollRegion } from '../../ui/panel/scroll-region.tsx';
import styles from './markdown.module.css';
import { type Block, type Inline, type MarkdownRow, parseMarkdown } from './markdown.ts';

/** Markdown as elements. All of it is text that is not trusted: no HTML of it is read, no address loaded. */
export function MarkdownView({ text }: { readonly text: string }) {
  const blocks = useMemo(() => parseMarkdown(text), [text]);
  return <div className={styles.markdown}>{blocks.map(block)}</div>;
}

function block(one: Block, key: number): ReactNode {
  switch (one.kind) {
    case 'paragraph':
      return <p key={key}>{one.inlines.map(inline)}</p>;
    case 'heading':
      return heading(one.level, one.inlines, key);
    case 'code':
      return <CodeBlock key={key} text={one.text} label={one.language || 'Code'} />;
    case 'quote':
      return <blockquote key={key}>{one.blocks.map(block)}</blockquote>;
    case 'list': {
      const items = one.items.map((item, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: an answer only grows at its end
        <li key={place}>{item.map(block)}</li>
      ));
      return one.start === null ? (
        <ul key={key}>{items}</ul>
      ) : (
        <ol key={key} start={one.start}>
          {items}
        </ol>
      );
    }
    case 'table':
      return (
        <ScrollRegion key={key} label="Table" className={styles.table}>
          <table>
            <thead>
              <tr>{cells(one.head, 'th')}</tr>
            </thead>
            <tbody>
              {one.rows.map((row, place) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: an answer only grows at its end
                <tr key={place}>{cells(row, 'td')}</tr>
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      );
    case 'rule':
      return <hr key={key} />;
  }
}

/** A relative address would lead into this UI, and others could do more than that. */
const isWebAddress = (href: string): boolean => /^https?:\/\//i.test(href) && URL.canParse(href);

/** Below the headings of the page. */
function heading(level: number, inlines: readonly Inline[], key: number): ReactNode {
  const content = inlines.map(inline);
  if (level <= 1) return <h3 key={key}>{content}</h3>;
  return level === 2 ? <h4 key={key}>{content}</h4> : <h5 key={key}>{content}</h5>;
}

function cells(row: MarkdownRow, Cell: 'th' | 'td'): ReactNode {
  return row.map((cell, place) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: an answer only grows at its end
    <Cell key={place} {...(Cell === 'th' ? { scope: 'col' } : {})}>
      {cell.map(inline)}
    </Cell>
  ));
}

function inline(one: Inline, key: number): ReactNode {
  switch (one.kind) {
    case 'text':
      return one.text;
    case 'code':
      return <code key={key}>{one.text}</code>;
    case 'link': {
      const content = one.inlines.map(inline);
      return isWebAddress(one.href) ? (
        <a key={key} href={one.href} target="_blank" rel="noreferrer noopener nofollow">
          {content}
        </a>
      ) : (
        <span key={key}>{content}</span>
      );
    }
    case 'strong':
      return <strong key={key}>{one.inlines.map(inline)}</strong>;
    case 'emphasis':
      return <em key={key}>{one.inlines.map(inline)}</em>;
    case 'deleted':
      return <del key={key}>{one.inlines.map(inline)}</del>;
  }
}
