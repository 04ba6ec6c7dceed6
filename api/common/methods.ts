/* Which methods an address knows, as the document says. */

interface KnownPath {
  readonly segments: readonly string[];
  readonly methods: readonly string[];
}

const isName = (segment: string): boolean => segment.startsWith('{');

/** The methods of the path that an address is of, in upper case; null where there is none. A GET answers HEAD too. */
export const methodsOf = (paths: Readonly<Record<string, object>>): ((address: string) => readonly string[] | null) => {
  const known = Object.entries(paths).map(([path, item]): KnownPath => {
    const methods = Object.keys(item).map((method) => method.toUpperCase());
    return { segments: path.split('/'), methods: methods.includes('GET') ? [...methods, 'HEAD'] : methods };
  });
  return (address) => {
    const segments = (address.split('?')[0] ?? '').split('/');
    const fits = (path: KnownPath): boolean =>
      path.segments.length === segments.length &&
      path.segments.every((segment, at) => (isName(segment) ? segments[at] !== '' : segment === segments[at]));
    // `runs/groups` is an address of its own, and one of `runs/{runId}` as well.
    const methods = [...new Set(known.filter(fits).flatMap((path) => path.methods))].sort();
    return methods.length === 0 ? null : methods;
  };
};
