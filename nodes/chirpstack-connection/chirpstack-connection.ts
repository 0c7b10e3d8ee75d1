import { readFileSync } from 'node:fs';
import type { NodeAPI, NodeDef } from 'node-red';
import { ChirpstackConnection, parseConnectionSettings } from '../../lib/chirpstack';
import { display, errorText, InvalidInputError, systemClock } from '../../lib/model';
import { configure } from '../common/configuration';
import { onClose } from '../common/lifecycle';
import { redLogger } from '../common/red-logger';
import type { ChirpstackConnectionNode, ConnectionCredentials } from '../common/services';

interface Properties extends NodeDef {
  url: string;
  tenantId: string;
  /** Comma-separated UUIDs. */
  applicationIds: string;
  /** Path of a PEM file; empty = the system's certificate authorities. */
  caFile: string;
  /** s */
  callTimeout: string;
}

function readCertificate(file: string): string | undefined {
  if (file.trim() === '') return undefined;
  try {
    return readFileSync(file.trim(), 'utf8');
  } catch (error) {
    throw new InvalidInputError([
      {
        field: 'caFile',
        value: display(file),
        rule: `it must be a readable file (${errorText(error)})`,
        cure: 'Give the path of the PEM file with the certificate authority of the ChirpStack server, or leave it empty.',
      },
    ]);
  }
}

const init = (RED: NodeAPI): void => {
  function ConnectionNode(this: ChirpstackConnectionNode, properties: Properties): void {
    RED.nodes.createNode(this, properties);
    const logger = redLogger(RED, this, 'chirpstack');
    const settings = configure(RED, this, logger, () =>
      parseConnectionSettings(
        {
          url: properties.url,
          token: this.credentials.token,
          tenantId: properties.tenantId,
          applicationIds: properties.applicationIds,
          caCertificate: readCertificate(properties.caFile ?? ''),
          callTimeout: properties.callTimeout,
        },
        { caCertificate: 'caFile' },
      ),
    );
    if (settings === undefined) return;
    const connection = new ChirpstackConnection(settings, { clock: systemClock, random: Math.random, logger });
    this.connection = connection;
    onClose(this, () => connection.close());
  }
  RED.nodes.registerType<ChirpstackConnectionNode, Properties, Record<string, never>, ConnectionCredentials>(
    'chirpstack-connection',
    ConnectionNode,
    { credentials: { token: { type: 'password' } } },
  );
};

export = init;
