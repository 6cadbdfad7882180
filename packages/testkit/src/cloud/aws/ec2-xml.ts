/** The XML of EC2's answers, as far as the front reads and writes it. */

export interface Ec2Answer {
  readonly status: number;
  readonly body: string;
}

export function ec2Error(status: number, code: string, message: string): Ec2Answer {
  const error = `<Error><Code>${code}</Code><Message>${escaped(message)}</Message></Error>`;
  const head = '<?xml version="1.0" encoding="UTF-8"?>\n';
  return {
    status,
    body: `${head}<Response><Errors>${error}</Errors><RequestID>front</RequestID></Response>`,
  };
}

/** An answer to an action, of elements in XML. */
export function ec2Answer(action: string, elements: string): Ec2Answer {
  const namespace = 'http://ec2.amazonaws.com/doc/2016-11-15/';
  const request = '<requestId>front</requestId>';
  const name = `${action}Response`;
  return { status: 200, body: `<${name} xmlns="${namespace}">${request}${elements}</${name}>` };
}

/** The text of the first element of that name; null if there is none. */
export function firstText(xml: string, name: string): string | null {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? null;
}

/** The texts of all elements of that name. */
export function allTexts(xml: string, name: string): readonly string[] {
  return [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(
    ([, text = '']) => text,
  );
}

/** The same document, with each direct item of the list `name` as `change` returns it; null leaves it out. */
export function changeItems(
  xml: string,
  name: string,
  change: (item: string) => string | null,
): string {
  const [open, close] = [`<${name}>`, `</${name}>`];
  const from = xml.indexOf(open) + open.length;
  const to = xml.lastIndexOf(close);
  if (from < open.length || to < from) return xml;
  const items = itemsOf(xml.slice(from, to)).map((item) => change(item) ?? '');
  return xml.slice(0, from) + items.join('') + xml.slice(to);
}

/** The same document, with another text in all elements of that name. */
export function withText(xml: string, name: string, text: string): string {
  return xml.replaceAll(
    new RegExp(`<${name}>[^<]*</${name}>`, 'g'),
    () => `<${name}>${escaped(text)}</${name}>`,
  );
}

/** Items contain lists with items of their own. */
function itemsOf(list: string): readonly string[] {
  const items: string[] = [];
  let [depth, start] = [0, 0];
  for (const { 0: tag, index } of list.matchAll(/<\/?item>/g)) {
    if (tag === '<item>' && depth++ === 0) start = index;
    if (tag === '</item>' && --depth === 0) items.push(list.slice(start, index + tag.length));
  }
  return items;
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
