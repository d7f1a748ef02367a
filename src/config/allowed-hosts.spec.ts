import { describe, expect, it } from 'vitest';
import { parseAllowedHosts } from './allowed-hosts.js';

describe('FETCH_ALLOW_HOSTS', () => {
  it.each([
    ['nas.example.lan', ['nas.example.lan']],
    [' NAS.example.lan , 10.1.0.0/16 ', ['nas.example.lan', '10.1.0.0/16']],
    ['*.corp.example:8443', ['*.corp.example:8443']],
    ['10.0.0.1:08080,10.1.0.0/16:8080', ['10.0.0.1:8080', '10.1.0.0/16:8080']],
    ['localhost:*', ['localhost:*']],
    ['fd12::7, [fd12::8], fd12::/16', ['fd12::7', 'fd12::8', 'fd12::/16']],
    ['[fd12::7]:8080,[fd12::/16]:*', ['[fd12::7]:8080', '[fd12::/16]:*']],
  ])('%s', (text, expected) => expect(parseAllowedHosts(text)).toEqual(expected));

  it.each([
    'nas:0',
    'nas:65536',
    'nas:http',
    'nas:',
    'http://nas',
    'nas:80:90',
    'nas/8',
    '127.1',
    '2130706433',
    '[nas',
    '[]',
    'a b',
    '10.0.0.0/33',
    '*',
    ':80',
  ])('refuses %s', (text) => expect(() => parseAllowedHosts(text)).toThrow(/has /));
});
