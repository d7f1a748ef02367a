import { readdir, readFile, readlink } from 'node:fs/promises';

/** What a process holds open. */
export interface Holdings {
  /** Sockets that listen. */
  listening: number;
  /** TCP connections by the port of the other side. */
  outgoing: Map<number, number>;
  /** TCP connections that came in to the given port. */
  incoming: number;
  /** Sockets of other kinds, or no longer connected. */
  otherSockets: number;
  /** Files and folders. */
  files: string[];
  /** Pipes, epoll, eventfd and the like. */
  others: number;
  /** Resident memory in MiB. */
  rssMiB: number;
}

const LISTEN = '0A';

/** From Linux's `/proc`; undefined elsewhere. @param port that it listens on */
export async function holdingsOf(pid: number, port: number): Promise<Holdings | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const rssMiB = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1_024;
    const connections = await connectionsOf(pid);
    const holdings: Holdings = {
      listening: 0,
      outgoing: new Map(),
      incoming: 0,
      otherSockets: 0,
      files: [],
      others: 0,
      rssMiB,
    };
    for (const target of await descriptors(pid)) count(holdings, target, connections, port);
    return holdings;
  } catch {
    return undefined;
  }
}

function count(
  holdings: Holdings,
  target: string,
  connections: ReadonlyMap<string, Connection>,
  port: number,
): void {
  const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
  if (target.startsWith('/') && !target.startsWith('/dev/')) holdings.files.push(target);
  else if (inode === undefined) holdings.others += 1;
  else {
    const connection = connections.get(inode);
    if (connection === undefined) holdings.otherSockets += 1;
    else if (connection.state === LISTEN) holdings.listening += 1;
    else if (connection.local === port) holdings.incoming += 1;
    else holdings.outgoing.set(connection.remote, (holdings.outgoing.get(connection.remote) ?? 0) + 1);
  }
}

interface Connection {
  local: number;
  remote: number;
  state: string;
}

/** By inode. */
async function connectionsOf(pid: number): Promise<Map<string, Connection>> {
  const found = new Map<string, Connection>();
  for (const table of ['tcp', 'tcp6']) {
    const lines = (await readFile(`/proc/${pid}/net/${table}`, 'utf8')).split('\n').slice(1);
    for (const line of lines) {
      const [, local = '', remote = '', state = '', , , , , , inode = ''] = line.trim().split(/\s+/);
      if (inode !== '') found.set(inode, { local: portOf(local), remote: portOf(remote), state });
    }
  }
  return found;
}

const portOf = (address: string) => Number.parseInt(address.slice(address.lastIndexOf(':') + 1), 16);

async function descriptors(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  // One that is closed meanwhile is not there to be read.
  const targets = (await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => undefined));
  return (await Promise.all(targets)).filter((target) => target !== undefined);
}
