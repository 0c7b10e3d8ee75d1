/** A ChirpStack without radio: the gRPC services over a world that programs build and devices talk to. */
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { ApplicationServiceService } from '@chirpstack/chirpstack-api/api/application_grpc_pb';
import { DeviceServiceService } from '@chirpstack/chirpstack-api/api/device_grpc_pb';
import { DeviceProfileServiceService } from '@chirpstack/chirpstack-api/api/device_profile_grpc_pb';
import { GatewayServiceService } from '@chirpstack/chirpstack-api/api/gateway_grpc_pb';
import { InternalServiceService } from '@chirpstack/chirpstack-api/api/internal_grpc_pb';
import { TenantServiceService } from '@chirpstack/chirpstack-api/api/tenant_grpc_pb';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { type Clock, errorText, type Logger, type Random, type Unsubscribe } from '../model';
import type { ServiceContext } from './caller';
import { Downlinks } from './downlinks';
import { type CallFault, FaultInjection } from './fault-injection';
import { takeCommand } from './mqtt-commands';
import { Network } from './network';
import { applicationService } from './services/application';
import { deviceService } from './services/device';
import { deviceMetricsService } from './services/device-metrics';
import { deviceProfileService } from './services/device-profile';
import { deviceQueueService } from './services/device-queue';
import { gatewayService } from './services/gateway';
import { internalService } from './services/internal';
import { tenantService } from './services/tenant';
import { EventStreams } from './streams';
import { TimerQueue } from './timer-queue';
import type { World } from './world';

export interface ServerOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Most events that a stream sends at one look, 10. */
  readonly eventsPerLook?: number;
  /** ms in which the class C scheduler leaves a device alone after an uplink or a downlink, 5,000. */
  readonly schedulerLock?: number;
}

/** ms between two looks of a stream into the stored events. */
const STREAM_INTERVAL = 1_000;

/** @returns the port; @throws if it cannot be had */
function listenOn(listener: NetServer, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, host, () => {
      listener.off('error', reject);
      const address = listener.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

/** Breaks the connection of a caller. @param peer `address:port` as gRPC names it */
function cutPeer(sockets: ReadonlySet<Socket>, peer: string): void {
  for (const socket of sockets) if (peer.endsWith(`:${String(socket.remotePort)}`)) socket.destroy();
}

export class ChirpstackServer {
  readonly world: World;
  readonly network: Network;
  readonly downlinks: Downlinks;
  readonly timers: TimerQueue;
  readonly #options: ServerOptions;
  readonly #streams: EventStreams;
  readonly #faults: FaultInjection;
  #running: { readonly server: Server; readonly listener: NetServer; readonly sockets: Set<Socket> } | undefined;

  constructor(options: ServerOptions) {
    const { world, clock, random, logger } = options;
    this.#options = options;
    this.#faults = new FaultInjection(random);
    this.world = world;
    const onListenerError = (error: unknown): void =>
      logger.error({
        operation: 'simulate',
        event: 'failed',
        reason: 'internal',
        message: `A listener or a timer of the simulator failed: ${errorText(error)}`,
      });
    this.timers = new TimerQueue(clock, onListenerError);
    this.downlinks = new Downlinks({
      world,
      clock,
      random,
      timers: this.timers,
      onListenerError,
      ...(options.schedulerLock === undefined ? {} : { lock: options.schedulerLock }),
    });
    this.network = new Network({ world, clock, random, downlinks: this.downlinks, onListenerError });
    this.#streams = new EventStreams(this.timers, clock, {
      interval: STREAM_INTERVAL,
      count: options.eventsPerLook ?? 10,
    });
  }

  /** How many event streams are open. */
  get openStreams(): number {
    return this.#streams.count;
  }

  /** @returns the port; @throws if it cannot be had */
  async listen(host: string, port: number): Promise<number> {
    const server = new Server({ 'grpc.max_concurrent_streams': 2 ** 31 - 1 });
    const { world, clock, logger, random } = this.#options;
    const sockets = new Set<Socket>();
    const context: ServiceContext = {
      world,
      clock,
      logger,
      faults: this.#faults,
      cut: (peer) => cutPeer(sockets, peer),
    };
    server.addService(TenantServiceService, tenantService(context));
    server.addService(ApplicationServiceService, applicationService(context));
    server.addService(DeviceProfileServiceService, deviceProfileService(context));
    server.addService(DeviceServiceService, {
      ...deviceService(context),
      ...deviceMetricsService(context),
      ...deviceQueueService(context, this.downlinks, random),
    });
    server.addService(GatewayServiceService, gatewayService(context));
    server.addService(InternalServiceService, internalService(context, this.#streams));
    // Sockets of our own: when the server goes down they break off, as they do when a real one is killed. The
    // library's own shutdown would tell every stream that it was cancelled.
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    const listener = createServer((socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      // A connection that breaks is no fault of the server; without a listener it would be an uncaught exception.
      socket.on('error', () => undefined);
      socket.setNoDelay(true);
      injector.injectConnection(socket);
    });
    const bound = await listenOn(listener, host, port).catch((error: unknown) => {
      server.forceShutdown();
      throw error;
    });
    this.#running = { server, listener, sockets };
    return bound;
  }

  /** Cuts all connections and frees the port. Idempotent. */
  async close(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    this.#streams.stop();
    if (running === undefined) return;
    const freed = new Promise<void>((resolve) => {
      running.listener.close(() => resolve());
    });
    for (const socket of running.sockets) socket.destroy();
    await freed;
    running.server.forceShutdown();
  }

  /** A command by MQTT, as an application publishes it. @param payload JSON, already parsed */
  command(devEui: string, payload: unknown): void {
    takeCommand(devEui, payload, { world: this.world, downlinks: this.downlinks, random: this.#options.random });
  }

  /** Makes calls go wrong until the returned function is called. */
  failCalls(fault: CallFault): Unsubscribe {
    return this.#faults.add(fault);
  }
}
