import eslint from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const noEnum = {
  selector: 'TSEnumDeclaration',
  message: 'A union of strings says the same and needs no code.',
};
const oneReaderOfTheEnvironment = {
  selector: "MemberExpression[object.name='process'][property.name='env']",
  message: 'config/env.ts is the only reader of the environment.',
};
const validatorsAreSynchronous = {
  selector: "Property[key.name='validator'] > :matches(ArrowFunctionExpression, FunctionExpression)[async=true]",
  message: 'Temporal calls an update validator synchronously and drops its promise: it would never reject.',
};

export default defineConfig(
  globalIgnores(['dist', '.concord', 'web', 'test/fixtures', 'client/schema.ts']),
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      // A capability that needs no waiting in one system is a promise in all.
      '@typescript-eslint/require-await': 'off',
      'no-empty': ['error', { allowEmptyCatch: false }],
      'no-restricted-syntax': ['error', noEnum, oneReaderOfTheEnvironment, validatorsAreSynchronous],
      'preserve-caught-error': 'error',
    },
  },
  {
    files: ['config/env.ts', '**/*.spec.ts', 'test/**/*.ts', 'bench/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', noEnum, validatorsAreSynchronous] },
  },
  {
    // A factory's type is what workflows see of it, taken from its code.
    files: ['activities/**/*.ts'],
    rules: { '@typescript-eslint/explicit-module-boundary-types': 'off' },
  },
  {
    files: ['**/*.spec.ts', 'test/**/*.ts'],
    rules: {
      // `expect.any(…)` and its kin are `any`.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: {
      globals: Object.fromEntries(
        ['process', 'console', 'URL', 'setTimeout', 'SharedArrayBuffer', 'Atomics', 'module'].map((name) => [
          name,
          'readonly',
        ]),
      ),
    },
  },
);
