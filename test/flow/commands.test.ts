/** The reference flow as it is shipped moves a simulated valve, and says so. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type BootedGateway, bootGateway, editorToken } from '../support/boot-gateway';
import { eventually } from '../support/eventually';
import { repositoryRoot } from '../support/paths';

describe('commands in the reference flow', () => {
  let gateway: BootedGateway;
  before(async () => {
    gateway = await bootGateway({
      environment: { SIMULATOR_PERIOD_SECONDS: '2', LOG_LEVEL: 'info,commands=debug' },
    });
  });
  after(() => gateway.stop());

  it('reach the valve, which reports what it was told', async () => {
    const flow = JSON.parse(readFileSync(join(repositoryRoot, 'flows', 'gateway.json'), 'utf8')) as {
      id: string;
      name?: string;
    }[];
    const button = flow.find(({ name }) => name === 'Simulated valve to 40 %');
    assert.ok(button);
    const token = await editorToken(gateway.web, gateway.user, gateway.password);
    await eventually(async () => {
      // The queue refuses devices that the poller has not listed yet.
      const answer = await fetch(`${gateway.web}/editor/inject/${button.id}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
      });
      assert.equal(answer.status, 200);
      return /Command position \([\w-]+\) is Queued/.test(gateway.output());
    }, 'the command to be taken');
    await eventually(() => /is Verified: The device reports setpoint = 40/.test(gateway.output()), 'the valve to move');
  });
});
