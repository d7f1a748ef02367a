/** A key that signs links. `id` goes into the link, so that keys can be changed while old links live. */
export interface LinkSecret {
  id: string;
  secret: string;
}

/** Reads `LINK_SECRETS`. @throws Error that does not repeat the value */
export function parseLinkSecrets(value: string): LinkSecret[] {
  const secrets = value.split(',').map((entry) => {
    const match = /^\s*([A-Za-z0-9_-]{1,16}):(.{32,})$/.exec(entry.trimEnd());
    if (match?.[1] === undefined || match[2] === undefined) {
      throw new Error('holds an entry that is not id:secret with 32 characters or more');
    }
    return { id: match[1], secret: match[2] };
  });
  if (new Set(secrets.map(({ id }) => id)).size < secrets.length) throw new Error('holds an id twice');
  return secrets;
}
