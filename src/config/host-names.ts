/**
 * Reads names of hosts: `pictures.example.com`, or `*.example.com` for all below a domain.
 * @returns lower case
 * @throws Error
 */
export function parseHostNames(text: string): string[] {
  return text.split(',').map((part) => {
    const name = part.trim().toLowerCase();
    if (!/^(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(name)) {
      throw new Error('holds what is no name of a host (without scheme and port)');
    }
    return name;
  });
}
