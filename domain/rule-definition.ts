/** What a broken rule does: the row is rejected; the value is blanked and a finding raised; or only a finding. */
export type RuleSeverity = 'reject' | 'blank_and_warn' | 'warn';

/** A quality rule on one source column. */
export type RuleDefinition = { readonly name: string; readonly field: string; readonly severity: RuleSeverity } & RuleCheck;

export type RuleCheck =
  | { readonly check: 'required' }
  | { readonly check: 'type'; readonly type: 'integer' | 'decimal' | 'date' | 'boolean' | 'email'; readonly formats?: readonly string[] }
  | { readonly check: 'range'; readonly min?: string; readonly max?: string }
  | { readonly check: 'length'; readonly min?: number; readonly max?: number }
  | { readonly check: 'pattern'; readonly pattern: string }
  | { readonly check: 'in_set'; readonly values: readonly string[] }
  | { readonly check: 'unique' }
  | { readonly check: 'reference_exists'; readonly mapping: string };
