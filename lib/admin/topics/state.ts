/** How the gateway and its devices are: `status`, `health`, `metrics`, `devices`, `values`. */
import type { AdministrationDependencies } from '../dependencies';
import { devicesPayload, listDevices } from '../devices-list';
import { healthPayload, metrics } from '../health';
import { gatewayStatus, statusPayload } from '../status';
import { question, type UseCases } from '../use-cases';
import { latestPayload, latestValues } from '../values-latest';
import { listValues, valuesPayload } from '../values-list';

export function stateTopics(deps: AdministrationDependencies): UseCases {
  const { store, clock, health } = deps;
  return [
    question('status.get', statusPayload, () => gatewayStatus(deps)),
    question('health.get', healthPayload, () => health()),
    question('metrics.get', healthPayload, () => metrics(health())),
    question('devices.list', devicesPayload, (payload) => listDevices(store, payload)),
    question('values.list', valuesPayload, (payload) => listValues(deps, clock.now(), payload)),
    question('values.latest', latestPayload, (payload) => latestValues(store, payload)),
  ];
}
