import { execa } from 'execa';

/** A cable between this machine and a network namespace, with an address at each end. */
export interface NamespaceLink {
  /** Of the other end. */
  address: string;
  /** Plugs it into the namespace of a process. */
  connect(pid: number): Promise<void>;
  remove(): Promise<void>;
}

/** Reserved for tests between networks (RFC 2544): nobody's Docker or office uses it. */
const range = '198.18';

const ip = async (...args: string[]): Promise<string> => (await execa('ip', args)).stdout;

/** @throws Error when no subnet is free. */
export async function linkTo(): Promise<NamespaceLink> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const number = Math.floor(Math.random() * 16_384);
    const base = `${range}.${String(number >> 6)}`;
    const first = (number & 63) * 4;
    const [near, address] = [`${base}.${String(first + 1)}`, `${base}.${String(first + 2)}`];
    const device = `rehearsal${String(number)}`;
    if ((await ip('-4', 'route', 'show', `${base}.${String(first)}/30`)) !== '') continue;
    const remove = async (): Promise<void> => {
      // It goes with the namespace at its other end.
      await execa('ip', ['link', 'delete', device], { reject: false });
    };
    return {
      address,
      remove,
      async connect(pid) {
        const inside = (...args: string[]): Promise<unknown> =>
          execa('nsenter', ['--target', String(pid), '--net', 'ip', ...args]);
        await remove();
        await ip('link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid));
        await ip('address', 'add', `${near}/30`, 'dev', device);
        await ip('link', 'set', device, 'up');
        await inside('address', 'add', `${address}/30`, 'dev', 'eth0');
        await inside('link', 'set', 'eth0', 'up');
        await inside('route', 'add', 'default', 'via', near);
      },
    };
  }
  throw new Error(`no subnet of ${range}.0.0/16 is free`);
}
