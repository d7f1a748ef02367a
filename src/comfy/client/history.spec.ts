import { describe, expect, it } from 'vitest';
import { readHistoryEntry } from './history.js';

const file = { filename: 'a.png', subfolder: '', type: 'output' };
const outputs = { '9': { images: [file] } };
const status = (str: string, ...messages: unknown[]) => ({
  status_str: str,
  completed: str === 'success',
  messages,
});

describe('readHistoryEntry', () => {
  it('tells the outputs that were made before a failure, and when the prompt began and ended', () => {
    const entry = {
      outputs,
      status: status(
        'error',
        ['execution_start', { timestamp: 1_000 }],
        ['execution_error', { timestamp: 2_000, node_id: '3', exception_type: 'ValueError' }],
      ),
    };
    expect(readHistoryEntry(entry)).toMatchObject({
      ended: 'error',
      failure: { node: '3', exceptionType: 'ValueError' },
      outputs: [{ node: '9', file }],
      times: { start: 1_000, end: 2_000 },
    });
  });

  it('believes the last end in the messages, whatever the status says', () => {
    // A dependency cycle that shows while running ends a prompt without failing a node.
    const cycle = status('success', ['execution_start', {}], ['execution_error', { node_id: '1' }]);
    expect(readHistoryEntry({ outputs, status: cycle })?.ended).toBe('error');
    const continued = status('success', ['execution_error', { node_id: '1' }], ['execution_success', {}]);
    expect(readHistoryEntry({ outputs, status: continued })?.ended).toBe('success');
  });

  it.each([
    ['no status', { outputs }],
    ['a status that is null', { outputs, status: null }],
    ['a status with odd messages', { outputs, status: { status_str: 'success', messages: [null, 'x', []] } }],
  ])('takes an entry with %s for a success', (_, entry) => {
    expect(readHistoryEntry(entry)).toMatchObject({ ended: 'success', outputs: [{ node: '9' }] });
  });

  it.each([
    ['null', null],
    ['a text', 'gone'],
    ['an empty object', {}],
    ['a success without outputs', { status: status('success', ['execution_success', {}]), outputs: null }],
    ['outputs of a wrong shape', { outputs: [], status: null }],
  ])('draws no conclusion from %s', (_, entry) => {
    expect(() => readHistoryEntry(entry)).toThrow(expect.objectContaining({ fault: 'unreadable' }) as Error);
  });

  it('knows no end where there is no entry', () => expect(readHistoryEntry(undefined)).toBeUndefined());
});
