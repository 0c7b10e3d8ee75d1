/**
 * The condition by which OPC UA tells that the certificate of the server ends soon (Part 9 §5.8.18,
 * CertificateExpirationAlarmType). When it is active is decided by us and not by the library, whose own look at it is
 * by the clock of the machine and in words of its own.
 */
import type { X509Certificate } from 'node:crypto';
import type { OPCUAServer } from 'node-opcua';
import { GATEWAY_NAMESPACE } from '../address-space/namespaces';
import type { Library } from '../library';

export interface CertificateAlarm {
  /**
   * Shows a certificate; nothing is told where nothing changed.
   * @param state `soon`: within the limit; `over`: it has ended
   */
  show(certificate: X509Certificate, state: 'valid' | 'soon' | 'over'): void;
}

/** Of 1 to 1000. */
const SEVERITY = { valid: 1, soon: 500, over: 900 } as const;
const IDENTIFIER = 'gateway/certificate-expires';

/** @param limit how long before the end the alarm becomes active, ms */
export function createCertificateAlarm(
  library: Library,
  server: OPCUAServer,
  limit: number,
): CertificateAlarm | undefined {
  const { DataType, NodeId } = library;
  const { addressSpace } = server.engine;
  const namespace = addressSpace?.getNamespace(GATEWAY_NAMESPACE);
  if (!addressSpace || !namespace) return undefined;
  // Without it, refresh and acknowledge are answered with BadInternalError.
  addressSpace.installAlarmsAndConditionsService();
  const serverObject = addressSpace.rootFolder.objects.server;
  const name = 'ServerCertificateExpires';
  const made = library.instantiateCertificateExpirationAlarm(namespace, 'CertificateExpirationAlarmType', {
    browseName: name,
    displayName: 'Certificate of the server ends',
    nodeId: `s=${IDENTIFIER}`,
    componentOf: serverObject,
    conditionSource: serverObject,
    conditionName: name,
    inputNode: NodeId.nullNodeId,
    normalState: NodeId.nullNodeId,
    optionals: ['ExpirationLimit'],
  });
  const alarm = library.promoteToCertificateExpirationAlarm(made);
  alarm.stopTimer();
  const { expirationLimit } = alarm;
  if (expirationLimit) {
    expirationLimit.setValueFromSource({ dataType: DataType.Double, value: limit });
    // The library would let clients change it, and look by itself when they do.
    expirationLimit.accessLevel = library.makeAccessLevelExFlag('CurrentRead');
    expirationLimit.userAccessLevel = expirationLimit.accessLevel;
  }
  return {
    show(certificate, state) {
      const end = new Date(certificate.validTo);
      // Not by the setters of the alarm: they judge at once.
      alarm.certificate.setValueFromSource({ dataType: DataType.ByteString, value: certificate.raw });
      alarm.expirationDate.setValueFromSource({ dataType: DataType.DateTime, value: end });
      if (state === 'valid' && !alarm.currentBranch().getActiveState()) return;
      const text = { valid: 'is valid until', soon: 'ends on', over: 'ended on' }[state];
      alarm.updateAlarmState2(
        state !== 'valid',
        SEVERITY[state],
        `the certificate of the OPC UA server ${text} ${end.toISOString()}`,
      );
    },
  };
}
