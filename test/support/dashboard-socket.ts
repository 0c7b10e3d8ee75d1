/**
 * The least of a Socket.IO client (Engine.IO 4 by polling, Socket.IO 5), to see what a program that is no browser gets
 * from the dashboard's socket.
 */
const SEPARATOR = '\u001e';

export class DashboardSocket {
  readonly #address: string;
  readonly #headers: Record<string, string>;
  readonly #events: unknown[][] = [];

  private constructor(address: string, headers: Record<string, string>) {
    this.#address = address;
    this.#headers = headers;
  }

  /** @throws Error with the server's refusal */
  static async open(web: string, headers: Record<string, string>): Promise<DashboardSocket> {
    const base = `${web}/dashboard/socket.io/?EIO=4&transport=polling`;
    const handshake = await (await fetch(base, { headers })).text();
    const { sid } = JSON.parse(handshake.slice(1)) as { sid: string };
    const socket = new DashboardSocket(`${base}&sid=${sid}`, headers);
    await socket.#post('40');
    const [packet = ''] = await socket.#poll();
    if (!packet.startsWith('40')) throw new Error(`refused: ${packet}`);
    return socket;
  }

  /** Sends an event without being let in first, and says what the server answers to all of it. */
  static async knock(web: string, headers: Record<string, string>, ...event: unknown[]): Promise<string> {
    const base = `${web}/dashboard/socket.io/?EIO=4&transport=polling`;
    const handshake = await (await fetch(base, { headers })).text();
    if (!handshake.startsWith('0')) return handshake;
    const { sid } = JSON.parse(handshake.slice(1)) as { sid: string };
    const socket = new DashboardSocket(`${base}&sid=${sid}`, headers);
    await socket.#post('40');
    await socket.emit(...event);
    return (await socket.#poll()).join('\n');
  }

  emit(...event: unknown[]): Promise<void> {
    return this.#post(`42${JSON.stringify(event)}`);
  }

  /** Waits for an event of that name. */
  async next(name: string): Promise<unknown[]> {
    for (;;) {
      const index = this.#events.findIndex(([event]) => event === name);
      if (index >= 0) return this.#events.splice(index, 1)[0] ?? [];
      for (const packet of await this.#poll())
        if (packet.startsWith('42')) this.#events.push(JSON.parse(packet.slice(2)) as unknown[]);
    }
  }

  async close(): Promise<void> {
    await this.#post('1');
  }

  async #post(body: string): Promise<void> {
    await fetch(this.#address, { method: 'POST', headers: { ...this.#headers, 'Content-Type': 'text/plain' }, body });
  }

  async #poll(): Promise<string[]> {
    const packets = (await (await fetch(this.#address, { headers: this.#headers })).text()).split(SEPARATOR);
    if (packets.includes('2')) await this.#post('3');
    return packets.filter((packet) => packet !== '2');
  }
}
