// The journey of an app that is written with fhir-kit-client.
import { Client } from 'fhir-kit-client';
import { base, expect, pulse, refused, token, transaction } from './steps.mjs';

const client = new Client({ baseUrl: base, bearerToken: token });
const resourceType = 'Patient';
const mrn = `https://example.org/mrn|kit-${Date.now()}`;
const [system, value] = mrn.split('|');

const created = await client.create({
  resourceType,
  body: { resourceType, name: [{ family: 'Kitclient' }], identifier: [{ system, value }] },
});
const id = created.id;
expect((await client.read({ resourceType, id })).name[0].family === 'Kitclient', 'the name that was written');

const updated = await client.update({
  resourceType,
  id,
  body: { ...created, active: true },
  options: { headers: { 'If-Match': 'W/"1"' } },
});
expect(updated.meta.versionId === '2', 'a second version');
await refused(
  client.update({ resourceType, id, body: created, options: { headers: { 'If-Match': 'W/"1"' } } }),
  412,
);
expect((await client.vread({ resourceType, id, version: '1' })).active === undefined, 'the first version as it was');

const again = await client.create({
  resourceType,
  body: { resourceType, identifier: [{ system, value }] },
  options: { headers: { 'If-None-Exist': `identifier=${encodeURIComponent(mrn)}` } },
});
expect(again.id === id, 'conditional create to find what is there');

const patched = await client.patch({ resourceType, id, jsonPatch: [{ op: 'replace', path: '/active', value: false }] });
expect(patched.active === false, 'the patched value');

for (let day = 1; day <= 5; day += 1) {
  await client.create({ resourceType: 'Observation', body: pulse(id, day) });
}
const page = await client.search({ resourceType: 'Observation', searchParams: { patient: id, _count: '2' } });
expect(page.entry.length === 2, 'two on the first page');
const next = await client.nextPage({ bundle: page });
expect(next.entry.length === 2, 'two on the second page');
const posted = await client.search({
  resourceType: 'Observation',
  searchParams: { patient: id, date: 'ge2026-06-04' },
  options: { postSearch: true },
});
expect(posted.entry.length === 2, 'two by POST');
const compartment = await client.search({ resourceType: 'Observation', compartment: { resourceType, id } });
expect(compartment.entry.length === 5, 'five in the compartment');

const answer = await client.transaction({ body: transaction('Kittransaction'), options: { keepalive: false } });
expect(answer.entry.every((entry) => entry.response.status.startsWith('201')), 'everything created');
const history = await client.history({ resourceType, id });
expect(history.entry.length === 3, 'three versions');
const statement = await client.capabilityStatement();
expect(statement.fhirVersion === '4.0.1', 'R4');

await client.delete({ resourceType, id });
await refused(client.read({ resourceType, id }), 410);
console.log('ok');
