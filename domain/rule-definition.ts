/** What a broken rule does: the row is rejected; the value is blanked and a finding raised; or only a finding. */
export type RuleSeverity = 'reject' | 'blank_and_warn' | 'warn';

/** A quality rule on one source column. A blank cell breaks `required` only. */
export type RuleDefinition = {
  readonly name: string;
  readonly field: string;
  readonly severity: RuleSeverity;
} & RuleCheck;

export type RuleCheck =
  | { readonly check: 'required' }
  | {
      readonly check: 'type';
      readonly type: 'integer' | 'decimal' | 'date' | 'boolean' | 'email';
      readonly formats?: readonly string[];
    }
  /** Numbers are compared as numbers; where a bound is a date, both as dates. Bounds are included. */
  | { readonly check: 'range'; readonly min?: string; readonly max?: string }
  | { readonly check: 'length'; readonly min?: number; readonly max?: number }
  /** The whole value must match. */
  | { readonly check: 'pattern'; readonly pattern: string }
  /** One of the values, or of the codes that this system has in a code table. */
  | { readonly check: 'in_set'; readonly values?: readonly string[]; readonly codeTable?: string }
  | { readonly check: 'unique' }
  | { readonly check: 'reference_exists'; readonly mapping: string };
