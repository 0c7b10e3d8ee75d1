import type { Node, NodeAPI, NodeDef } from 'node-red';
import { errorText, FaultCollector, systemClock } from '../../lib/model';
import { parseSimulatorSettings, Simulator } from '../../lib/simulator';
import { configure } from '../common/configuration';
import { onClose } from '../common/lifecycle';
import { parseSwitch } from '../common/properties';
import { redLogger } from '../common/red-logger';
import { StatusReporter } from '../common/status';

interface Properties extends NodeDef {
  enabled: boolean | string;
  devices: string;
  /** s between two uplinks of a device */
  period: string;
  /** Loopback only. */
  port: string;
  seed: string;
}

const init = (RED: NodeAPI): void => {
  function SimulatorNode(this: Node, properties: Properties): void {
    RED.nodes.createNode(this, properties);
    const logger = redLogger(RED, this, 'simulator');
    const parsed = configure(RED, this, logger, () => {
      const faults = new FaultCollector();
      const enabled = faults.attempt(() => parseSwitch(properties.enabled, 'enabled', true));
      const settings = faults.attempt(() => parseSimulatorSettings(properties));
      faults.throwIfAny();
      return { enabled, settings };
    });
    if (parsed?.settings === undefined) return;
    const status = new StatusReporter(this);
    if (!parsed.enabled) {
      status.show('grey', 'ring', RED._('chirpstack-simulator.status.disabled'));
      return;
    }
    const simulator = new Simulator(parsed.settings, { clock: systemClock, logger });
    status.show('yellow', 'ring', RED._('chirpstack-simulator.status.starting'));
    const started = simulator.start().then(
      ({ url }) => {
        status.show('green', 'dot', url);
        this.send({
          topic: 'simulator',
          payload: { url, tenantId: simulator.tenantId, apiToken: simulator.tenantToken },
        });
      },
      (error: unknown) => {
        status.show('red', 'ring', errorText(error));
        logger.error({
          operation: 'simulate',
          event: 'failed',
          reason: 'port-in-use',
          message: errorText(error),
          cure: 'Choose another port.',
        });
      },
    );
    onClose(this, async () => {
      await started;
      await simulator.stop();
    });
  }
  RED.nodes.registerType('chirpstack-simulator', SimulatorNode);
};

export = init;
