const may: Readonly<Record<string, string>> = {
  secretary: 'decides questions, starts runs',
  steward: 'also releases, rolls back and changes mappings',
  operator: 'starts and watches runs, sees no records',
  admin: 'makes and revokes keys, sees no records',
};

/** The lines that show new keys, the only time they are shown. */
export const keyLines = (institution: string, keys: Readonly<Record<string, string>>): readonly string[] => [
  `API keys of ${institution}, shown this once (send one as: Authorization: Bearer …):`,
  ...Object.entries(keys).map(([role, key]) => `  ${role.padEnd(9)}  ${key}   ${may[role] ?? ''}`),
];
