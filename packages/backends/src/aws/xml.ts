/** Answers in XML, as EC2, IAM and STS give them. */
import { parseXml, XmlElement } from '@rgrove/parse-xml';

/** An element of an answer, or the absence of one: reading what is not there gives nothing. */
export class XmlNode {
  readonly #element: XmlElement | null;

  constructor(element: XmlElement | null) {
    this.#element = element;
  }

  get name(): string {
    return this.#element?.name ?? '';
  }

  at(...path: readonly string[]): XmlNode {
    let element = this.#element;
    for (const name of path) element = childrenOf(element).find((one) => one.name === name) ?? null;
    return new XmlNode(element);
  }

  /** The text of an element below; null = there is none, or it is empty. */
  text(...path: readonly string[]): string | null {
    const text = this.at(...path).#element?.text.trim() ?? '';
    return text === '' ? null : text;
  }

  /** Null: it is missing, or no number. */
  number(...path: readonly string[]): number | null {
    const text = this.text(...path);
    const value = Number(text ?? '');
    return text === null || !Number.isFinite(value) ? null : value;
  }

  /** The items of a list, which EC2 calls `item`; IAM and STS call them `member`. */
  items(...path: readonly string[]): readonly XmlNode[] {
    return childrenOf(this.at(...path).#element)
      .filter(({ name }) => name === 'item' || name === 'member')
      .map((element) => new XmlNode(element));
  }
}

/** Null: it is not XML. */
export function xmlOf(text: string): XmlNode | null {
  try {
    return new XmlNode(parseXml(text).root);
  } catch {
    // A page of a proxy in between.
    return null;
  }
}

function childrenOf(element: XmlElement | null): readonly XmlElement[] {
  return (element?.children ?? []).filter((child) => child instanceof XmlElement);
}
