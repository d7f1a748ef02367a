import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FIELD_DOCS, SETTINGS_SCHEMA } from '../../src/config/index.js';
import { PROBLEMS } from '../../src/problem/index.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** Cells of the tables' rows whose first cell is code; `\|` is no border. */
function rows(markdown: string): string[][] {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

const plain = (cell = '') => cell.replace(/^`(.*)`$/, '$1');

/** The first two cells of the rows whose name is wanted. */
function pairs(table: string[][], isRow: (name: string) => boolean): [string, string][] {
  return table.filter(([name]) => isRow(plain(name))).map(([name, value]) => [plain(name), plain(value)]);
}

const READMES = ['README.md', 'README.zh-CN.md'];

describe('the pages agree with the code', () => {
  const codes = Object.entries(PROBLEMS).map(([code, { status }]) => [
    code,
    code === 'storage_error' ? '502 / 503' : String(status),
  ]);

  it.each(['docs/errors.md', ...READMES])('%s lists every error code with its status', (page) => {
    const known = pairs(rows(read(page)), (name) => name in PROBLEMS);
    expect(known).toEqual(codes);
  });

  it('docs/errors.md lists no code that does not exist', () => {
    const listed = rows(read('docs/errors.md')).filter(([, status]) => /^\d{3}/.test(status ?? ''));
    expect(listed.map(([code]) => plain(code))).toEqual(Object.keys(PROBLEMS));
  });

  it.each(READMES)('%s lists every setting with its default', (page) => {
    const settings = Object.entries(SETTINGS_SCHEMA.shape).map(([name, field]) => [
      name,
      FIELD_DOCS.get(field)?.fallback ?? '—',
    ]);
    // The second cell of other tables about settings is text.
    const table = rows(read(page)).filter(([, value]) => /^(`.*`|—)$/.test(value ?? ''));
    expect(pairs(table, (name) => /^[A-Z][A-Z0-9_]+$/.test(name))).toEqual(settings);
  });

  it('.env.example lists every setting, with its default where it shows one', () => {
    const lines = read('.env.example').matchAll(/^(?:# )?([A-Z][A-Z0-9_]+)=(.*)$/gm);
    const shown = new Map([...lines].map(([, name = '', value = '']) => [name, value]));
    expect([...shown.keys()].sort()).toEqual(Object.keys(SETTINGS_SCHEMA.shape).sort());
    for (const [name, field] of Object.entries(SETTINGS_SCHEMA.shape)) {
      const fallback = FIELD_DOCS.get(field)?.fallback;
      if (fallback !== undefined) expect([name, shown.get(name)]).toEqual([name, fallback]);
    }
  });

  it.each(READMES)('%s names every operation of the OpenAPI document', (page) => {
    const { paths } = JSON.parse(read('openapi.json')) as {
      paths: Record<string, Record<string, { operationId: string }>>;
    };
    const ids = Object.values(paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    const text = read(page);
    expect(ids.filter((id) => !text.includes(`\`${id}\``))).toEqual([]);
  });
});
