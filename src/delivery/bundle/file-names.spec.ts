import { expect, it } from 'vitest';
import { uniqueNames } from './file-names.js';

const names = (...made: string[]) =>
  uniqueNames(made.map((name, index) => ({ name, key: `image_1_00000000000${index}.png` })));

it.each([
  [
    ['a.png', 'a.png', 'A.PNG'],
    ['a.png', 'a-2.png', 'A-3.png'],
  ],
  [
    ['a-2.png', 'a.png', 'a.png'],
    ['a-2.png', 'a.png', 'a-3.png'],
  ],
  [
    ['../../etc/passwd', 'C:\\x.png'],
    ['_.._etc_passwd.png', 'C__x.png'],
  ],
  [
    ['..', '', ' . '],
    ['_.png', '_-2.png', '_-3.png'],
  ],
  [
    ['con.png', 'nul'],
    ['_con.png', '_nul.png'],
  ],
  [
    ['红狐狸.png', 'e\u0301.png'],
    ['红狐狸.png', 'é.png'],
  ],
  [
    ['a\r\nb".png', 'x'.repeat(200)],
    ['a__b_.png', `${'x'.repeat(100)}.png`],
  ],
  [['picture.jpeg'], ['picture.png']],
])('%j', (made, expected) => {
  expect(names(...made)).toEqual(expected);
});
