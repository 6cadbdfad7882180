/** An explanation inside the server, with numbers as timestamps and internal backend names. */
import type {
  AheadRun,
  Considered,
  ExplainPart,
  ExplainReason,
  ExplainRule,
  ExplainState,
  Explanation,
  Fix,
} from '@dstack/contract/wire';
import type { BackendName, Timestamp } from '../model/index.ts';

/** The same times as on the wire, but as timestamps. */
interface Times {
  readonly since: Timestamp | null;
  readonly until: Timestamp | null;
}

export type Reason = Omit<ExplainReason, keyof Times> & Times;
export type Part = Omit<ExplainPart, keyof Times> & Times;
export type Ahead = Omit<AheadRun, 'since'> & Pick<Times, 'since'>;
export type Row = Omit<Considered, 'backend'> & { readonly backend: BackendName | null };

/** An explanation without subject and events, which the server adds. */
export interface Diagnosis
  extends Omit<
      Explanation,
      | keyof Times
      | 'subject'
      | 'events'
      | 'expected_start'
      | 'ahead'
      | 'reasons'
      | 'parts'
      | 'considered'
      | 'fixes'
    >,
    Times {
  readonly expected_start: Timestamp | null;
  readonly ahead: readonly Ahead[];
  readonly reasons: readonly Reason[];
  readonly parts: readonly Part[];
  readonly considered: readonly Row[];
  readonly fixes: readonly Fix[];
}

export function reason(
  rule: ExplainRule,
  text: string,
  detail: Partial<Omit<Reason, 'rule' | 'text'>> = {},
): Reason {
  const nothing = { part: null, asked: null, has: null, count: null };
  const noTimes = { since: null, until: null, attempt: null };
  return { rule, ...nothing, ...noTimes, ...detail, text };
}

export function fix(text: string, detail: Partial<Omit<Fix, 'text'>> = {}): Fix {
  return { text, command: null, value: null, ...detail };
}

interface Assessment {
  readonly state: ExplainState;
  readonly summary: string;
  /** The first is `waiting_for`, if the subject waits. */
  readonly reasons: readonly Reason[];
  readonly waits: boolean;
}

/** Rule and times are those of the first reason. */
export function diagnosisOf(
  { waits, ...assessment }: Assessment,
  more: Partial<
    Pick<
      Diagnosis,
      'position' | 'expected_start' | 'is_about' | 'ahead' | 'parts' | 'considered' | 'fixes'
    >
  > = {},
): Diagnosis {
  const [first] = assessment.reasons;
  return {
    ...{
      position: null,
      expected_start: null,
      is_about: false,
      ahead: [],
      parts: [],
      considered: [],
      fixes: [],
    },
    ...assessment,
    ...more,
    waiting_for: waits && first ? first.rule : null,
    since: first?.since ?? null,
    until: first?.until ?? null,
    attempt: first?.attempt ?? null,
  };
}
