/** What a template means. */

export type Expression =
  | { readonly type: 'literal'; readonly value: string | number | boolean | null }
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'list'; readonly items: readonly Expression[] }
  | { readonly type: 'dict'; readonly entries: readonly (readonly [Expression, Expression])[] }
  | { readonly type: 'attribute'; readonly of: Expression; readonly name: string }
  | { readonly type: 'item'; readonly of: Expression; readonly key: Expression }
  | {
      readonly type: 'slice';
      readonly of: Expression;
      readonly from: Expression | null;
      readonly to: Expression | null;
      readonly step: Expression | null;
    }
  | { readonly type: 'call'; readonly of: Expression; readonly args: Arguments }
  | {
      readonly type: 'filter' | 'test';
      readonly of: Expression;
      readonly name: string;
      readonly args: Arguments;
    }
  | { readonly type: 'not' | 'minus' | 'plus'; readonly of: Expression }
  | {
      readonly type: 'binary';
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly type: 'choice';
      readonly when: Expression;
      readonly then: Expression;
      readonly otherwise: Expression | null;
    };

export interface Arguments {
  readonly positional: readonly Expression[];
  readonly named: Readonly<Record<string, Expression>>;
}

export type Statement =
  | { readonly type: 'text'; readonly value: string }
  | { readonly type: 'output'; readonly value: Expression }
  | {
      readonly type: 'if';
      readonly branches: readonly { readonly when: Expression | null; readonly body: Block }[];
    }
  | {
      readonly type: 'for';
      readonly names: readonly string[];
      readonly over: Expression;
      readonly where: Expression | null;
      readonly body: Block;
      readonly otherwise: Block;
    }
  | {
      readonly type: 'set';
      readonly target: Target;
      /** A block's text where there is no expression. */
      readonly value: Expression | Block;
    }
  | {
      readonly type: 'macro';
      readonly name: string;
      readonly parameters: readonly { readonly name: string; readonly preset: Expression | null }[];
      readonly body: Block;
    }
  | { readonly type: 'break' | 'continue' };

export type Block = readonly Statement[];

/** Names, or a field of a namespace. */
export type Target = { readonly names: readonly string[]; readonly field: string | null };
