import type { AddressPolicy } from './address-policy.js';
import { OutboundError } from './outbound.error.js';
import { targetOf } from './target.js';

/** Characters; signed URLs of object stores have some two thousand. */
const MAX_LENGTH = 8_192;

/**
 * The URL, if it may be asked for as far as it tells by itself.
 * @throws OutboundError `not_allowed`
 */
export function checkedUrl(text: string, policy: AddressPolicy): URL {
  if (text.length > MAX_LENGTH) throw notAllowed(`The URL is longer than ${MAX_LENGTH} characters.`);
  // Parsers drop some of these without a word (WHATWG URL, 4.4), each other ones.
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u0020\u007f-\u00a0\\\u2028\u2029]/.test(text)) {
    throw notAllowed('The URL has white space, control characters or backslashes in it.');
  }
  if (!/^https?:\/\/[^/?#]/i.test(text)) throw notAllowed('Only http:// and https:// URLs are fetched.');
  if (!URL.canParse(text)) throw notAllowed('The URL cannot be read.');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '' || /^[^/?#]*\/\/[^/?#]*@/.test(text)) {
    throw notAllowed('The URL has credentials in it.');
  }
  if (!policy.allowsHost(targetOf(url))) throw hostNotAllowed();
  return url;
}

/** The same words whether it is a name or an address, and whether anybody is there. */
export function hostNotAllowed(): OutboundError {
  return notAllowed(
    'This server does not call this host and port: only the public internet, and what FETCH_ALLOW_HOSTS lists.',
  );
}

function notAllowed(message: string): OutboundError {
  return new OutboundError('not_allowed', message);
}
