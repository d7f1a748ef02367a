/** Simple figures for a few nouns, drawn around the origin, feet at y = 0, about 20 units high. */
export function drawSubject(word: string, main: string, second: string): string | undefined {
  switch (word) {
    case 'fox':
      return animal(
        main === '#22252b' ? '#d8702a' : main,
        '#f4f2ec',
        'M -6 -17 L -4 -11 L -8 -11 Z M 0 -17 L 2 -11 L -2 -11 Z',
      );
    case 'cat':
      return animal(main, second, 'M -6 -16 L -4 -11 L -7 -10 Z M 0 -16 L 1 -10 L -2 -11 Z');
    case 'dog':
      return animal(main, second, 'M -8 -13 L -6 -7 L -9 -6 Z M 2 -13 L 3 -6 L 0 -7 Z');
    case 'tree':
    case 'forest':
      return `<rect x="-1.2" y="-8" width="2.4" height="8" fill="#6b4526"/><polygon points="0,-22 -7,-7 7,-7" fill="#2f7d45"/><polygon points="0,-26 -5,-14 5,-14" fill="#3e9b4f"/>`;
    case 'house':
    case 'cabin':
      return `<rect x="-8" y="-10" width="16" height="10" fill="${main}"/><polygon points="-10,-10 0,-18 10,-10" fill="${second}"/><rect x="-2" y="-6" width="4" height="6" fill="#3a2a1c"/>`;
    case 'boat':
    case 'ship':
      return `<path d="M -10 -4 H 10 L 6 1 H -6 Z" fill="${main}"/><polygon points="0,-20 0,-5 9,-5" fill="#f4f2ec"/><rect x="-0.5" y="-20" width="1" height="16" fill="#5b3b20"/>`;
    case 'bird':
      return `<path d="M -9 -24 q 4.5 -5 9 0 q 4.5 -5 9 0" stroke="${main}" stroke-width="1.6" fill="none"/>`;
    case 'flower':
    case 'rose':
      return `<rect x="-0.5" y="-10" width="1" height="10" fill="#3e9b4f"/><g fill="${main}"><circle cx="-3" cy="-12" r="3"/><circle cx="3" cy="-12" r="3"/><circle cx="0" cy="-15" r="3"/><circle cx="0" cy="-9.5" r="3"/></g><circle cx="0" cy="-12" r="2" fill="#f4c531"/>`;
    case 'apple':
      return `<circle cx="0" cy="-6" r="6" fill="${main}"/><rect x="-0.4" y="-15" width="0.8" height="4" fill="#5b3b20"/>`;
    case 'car':
      return `<rect x="-10" y="-7" width="20" height="5" rx="2" fill="${main}"/><rect x="-5" y="-11" width="11" height="5" rx="2" fill="${second}"/><circle cx="-5" cy="-1.5" r="2.2" fill="#22252b"/><circle cx="6" cy="-1.5" r="2.2" fill="#22252b"/>`;
    default:
      return undefined;
  }
}

function animal(fur: string, light: string, ears: string): string {
  return (
    `<ellipse cx="5" cy="-5" rx="8" ry="4.5" fill="${fur}"/>` +
    `<path d="M 12 -6 q 8 -3 6 -10 q -5 2 -8 7 Z" fill="${fur}"/><circle cx="17.5" cy="-14" r="1.6" fill="${light}"/>` +
    `<rect x="-1" y="-4" width="1.8" height="4" fill="${fur}"/><rect x="9" y="-4" width="1.8" height="4" fill="${fur}"/>` +
    `<circle cx="-3" cy="-9" r="4.5" fill="${fur}"/><path d="${ears}" fill="${fur}"/>` +
    `<path d="M -6 -8 q 3 5 6 0 q -3 -2 -6 0 Z" fill="${light}"/>` +
    `<circle cx="-4.6" cy="-10" r="0.7" fill="#22252b"/><circle cx="-1.4" cy="-10" r="0.7" fill="#22252b"/><circle cx="-3" cy="-7.4" r="0.6" fill="#22252b"/>`
  );
}
