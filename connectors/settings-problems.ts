/** Takes what is wrong with settings, a line each: the setting's name and what it should be, never its value. */
export type SettingsProblems = string[];

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Names that are none of the known ones, which are typing errors mostly. */
export const reportUnknown = (
  settings: Readonly<Record<string, unknown>>,
  known: readonly string[],
  where: string,
  problems: SettingsProblems,
): void => {
  for (const name of Object.keys(settings)) {
    if (!known.includes(name)) problems.push(`${where}"${name}" is no setting here (there are ${known.join(', ')})`);
  }
};

/** A text that may be left out; anything else but a text that is not empty is a problem. */
export const optionalText = (
  settings: Readonly<Record<string, unknown>>,
  name: string,
  where: string,
  problems: SettingsProblems,
): string | undefined => {
  const value = settings[name];
  if (value === undefined || (typeof value === 'string' && value !== '')) return value;
  problems.push(`${where}"${name}" has to be a text`);
  return undefined;
};

/** One of some words, or left out. */
export const optionalWord = <Word extends string>(
  settings: Readonly<Record<string, unknown>>,
  name: string,
  words: readonly Word[],
  where: string,
  problems: SettingsProblems,
): Word | undefined => {
  const value = settings[name];
  if (value === undefined) return undefined;
  const found = words.find((word) => word === value);
  if (found === undefined) problems.push(`${where}"${name}" has to be one of ${words.join(', ')}`);
  return found;
};

/** true, false, or left out. */
export const optionalFlag = (
  settings: Readonly<Record<string, unknown>>,
  name: string,
  where: string,
  problems: SettingsProblems,
): boolean | undefined => {
  const value = settings[name];
  if (value === undefined || typeof value === 'boolean') return value;
  problems.push(`${where}"${name}" has to be true or false`);
  return undefined;
};
