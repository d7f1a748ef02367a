import { readFileSync } from 'node:fs';

/** Bits of the set of effective capabilities: https://man7.org/linux/man-pages/man7/capabilities.7.html */
const SETGID = 1n << 6n;
const SETUID = 1n << 7n;
const NET_BIND_SERVICE = 1n << 10n;

/**
 * What this process, which is root, may do.
 * @returns {{allowed: boolean, powerless: boolean}} allowed: may change its user; powerless: has none of root's rights over others
 */
export function rightsOfRoot(status = readFileSync('/proc/self/status', 'utf8')) {
  const capabilities = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? 'ffffffff'}`);
  return {
    allowed: (capabilities & SETGID) !== 0n && (capabilities & SETUID) !== 0n,
    powerless: (capabilities & ~NET_BIND_SERVICE) === 0n,
  };
}

/**
 * @returns {{name: string, uid: number, gid: number, home: string} | undefined} undefined: the image has no such user
 */
export function findUser(name, passwd = readFileSync('/etc/passwd', 'utf8')) {
  const fields = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find(([first]) => first === name);
  return fields && { name, uid: Number(fields[2]), gid: Number(fields[3]), home: fields[5] };
}

/** From here on this process is that user, for good. @throws the system's error */
export function becomeUser({ name, uid, gid, home }) {
  process.initgroups(name, gid);
  process.setgid(gid);
  process.setuid(uid);
  process.env.HOME = home;
}
