import { fileURLToPath } from 'node:url';
import AxeBuilder from '@axe-core/playwright';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { stillNetwork } from './still-network.ts';

/** Debian's own; tests download no browser. */
const CHROMIUM = '/usr/bin/chromium';
const IN_NETWORK = fileURLToPath(new URL('./chromium-in-network.sh', import.meta.url));

export const WIDE = { width: 1440, height: 900 };
export const NARROW = { width: 390, height: 844 };

const ARGS = ['--no-sandbox', '--disable-gpu', '--force-prefers-reduced-motion'];

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: ARGS });
}

/** One that does not notice what other suites do to the network of this computer; root alone can make it. */
export async function launchTestBrowser(): Promise<Browser> {
  if (process.getuid?.() !== 0) return await launchBrowser();
  const network = await stillNetwork();
  const browser = await chromium.launch({
    executablePath: IN_NETWORK,
    env: { ...process.env, CHROMIUM, NETWORK: network.path },
    args: [...ARGS, `--proxy-server=${network.proxy}`, '--proxy-bypass-list=<-loopback>'],
  });
  browser.on('disconnected', () => network.close());
  return browser;
}

/** Violations of the content security policy become errors of the console. */
const REPORT_VIOLATIONS = `
  document.addEventListener('securitypolicyviolation', (event) =>
    console.error('policy:', event.violatedDirective, event.blockedURI, event.sourceFile));
`;

/** A user's browser profile; everything that goes wrong in any of its pages is collected. */
export class Visitor {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Errors of the console, of scripts, of the content security policy, and failed calls. */
  readonly problems: string[] = [];
  readonly #url: string;
  readonly #expected: RegExp[] = [];

  private constructor(context: BrowserContext, page: Page, url: string) {
    this.context = context;
    this.page = page;
    this.#url = url;
    const note = (text: string) => {
      if (!this.#expected.some((pattern) => pattern.test(text))) this.problems.push(text);
    };
    context.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) note(`console: ${message.text()}`);
    });
    context.on('weberror', (error) => note(`script: ${error.error().message}`));
    context.on('response', (response) => {
      if (response.status() >= 400) note(`${response.status()} ${response.url()}`);
    });
    context.on('requestfailed', (request) => {
      const reason = request.failure()?.errorText ?? '';
      // Pages that are left end their streams and calls.
      if (reason !== 'net::ERR_ABORTED') note(`${reason} ${request.url()}`);
    });
  }

  static async open(browser: Browser, url: string, options: object = {}): Promise<Visitor> {
    const context = await browser.newContext({ viewport: WIDE, ...options });
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: url });
    const visitor = new Visitor(context, await context.newPage(), url);
    await visitor.page.addInitScript({ content: REPORT_VIOLATIONS });
    return visitor;
  }

  /** Ignores problems that the test provokes on purpose, until `expectNoMore`. */
  expectProblem(...patterns: RegExp[]): void {
    this.#expected.push(...patterns);
  }

  /** Counts every problem again, since those that the test provoked are over. */
  expectNoMore(): void {
    this.#expected.length = 0;
  }

  async navigate(path: string): Promise<void> {
    await this.page.goto(this.#url + path);
  }

  async signIn(token: string): Promise<void> {
    await this.page.getByLabel('Token').fill(token);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
    await this.page.locator('#main').waitFor();
  }

  /** Violations of WCAG 2.2 A and AA and of best practices, or only of the given rules, as short texts. */
  async violations(rules: readonly string[] = []): Promise<string[]> {
    // Otherwise each scan opens a page of its own for frames, of which there are none.
    const axe = new AxeBuilder({ page: this.page }).setLegacyMode(true);
    // Reading style sheets again takes long, fails while one is loading, and serves one rule only.
    axe.options({ resultTypes: ['violations'], preload: false });
    if (rules.length > 0) axe.withRules([...rules]);
    const { violations } = await axe.analyze();
    return violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`,
    );
  }
}
