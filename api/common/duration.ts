/** Milliseconds of an ISO 8601 duration of weeks, days, hours, minutes and seconds (`P2D`, `PT90M`, `P1W`); null: it is none. Months and
 *  years have no length of their own. */
export const millisecondsOf = (duration: string): number | null => {
  const parts = /^P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?$/.exec(
    duration,
  );
  if (parts === null || duration === 'P') return null;
  const [weeks, days, hours, minutes, seconds] = parts.slice(1).map((part: string | undefined) => Number(part ?? 0));
  const inHours = ((weeks ?? 0) * 7 + (days ?? 0)) * 24 + (hours ?? 0);
  return ((inHours * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0)) * 1000;
};
