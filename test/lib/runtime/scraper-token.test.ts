import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ScraperToken } from '../../../lib/runtime';

const TOKEN = 'a1b2c3d4e5f6a7b8.-_~+/=';

function asked(authorization: string | undefined, url = '/metrics', method = 'GET') {
  return { method, url, headers: authorization === undefined ? {} : { authorization } };
}

describe('the token of the scraper', () => {
  const scraper = new ScraperToken(TOKEN);

  it('opens the metrics', () => {
    for (const header of [`Bearer ${TOKEN}`, `bearer  ${TOKEN}`]) assert.ok(scraper.admits(asked(header)));
    assert.ok(scraper.admits(asked(`Bearer ${TOKEN}`, '/metrics?job=lorua')));
    assert.ok(scraper.admits(asked(`Bearer ${TOKEN}`, '/metrics', 'HEAD')));
  });

  for (const [what, request] of [
    ['without a header', asked(undefined)],
    ['with another token', asked(`Bearer ${TOKEN}x`)],
    ['with a part of it', asked(`Bearer ${TOKEN.slice(0, -1)}`)],
    ['with an empty one', asked('Bearer ')],
    ['as a password', asked(`Basic ${Buffer.from(`admin:${TOKEN}`).toString('base64')}`)],
    ['for another page', asked(`Bearer ${TOKEN}`, '/dashboard')],
    ['for the page of all', asked(`Bearer ${TOKEN}`, '/')],
    ['for what is below', asked(`Bearer ${TOKEN}`, '/metrics/../dashboard')],
    ['for something alike', asked(`Bearer ${TOKEN}`, '//metrics')],
    ['to change something', asked(`Bearer ${TOKEN}`, '/metrics', 'POST')],
  ] as const)
    it(`lets nobody in ${what}`, () => assert.ok(!scraper.admits(request)));

  it('lets nobody in where none is set', () => {
    const none = new ScraperToken(undefined);
    for (const header of ['Bearer undefined', 'Bearer ', `Bearer ${TOKEN}`]) assert.ok(!none.admits(asked(header)));
  });
});
